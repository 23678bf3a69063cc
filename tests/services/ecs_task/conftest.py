"""A cluster at a port of this machine, and the variables that lead to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lambda_workflow_services.ecs_task.settings import settings

from tests.services.ecs_task.cluster import ARN, Cluster, serving

SETTINGS = {
    "ECS_TASK_CLUSTER": "films",
    "ECS_TASK_DEFINITIONS": f"{ARN}task-definition/render:*, {ARN}task-definition/cut:3",
    "ECS_TASK_SUBNETS": "subnet-1,subnet-2",
    "ECS_TASK_SECURITY_GROUPS": "sg-1",
}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with serving() as cluster:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_ENDPOINT_URL_ECS": cluster.url,
            **SETTINGS,
        }.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        yield cluster
    settings.cache_clear()
