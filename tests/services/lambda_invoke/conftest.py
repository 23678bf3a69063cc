"""Lambda at a port of this machine, and the variables that lead to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lambda_workflow_services.lambda_invoke.settings import settings

from tests.services.lambda_invoke.lambdas import Lambdas, serving

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


@pytest.fixture(scope="session")
def lambdas_of_session() -> Iterator[Lambdas]:
    with serving() as lambdas:
        yield lambdas


@pytest.fixture
def lambdas(lambdas_of_session: Lambdas, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambdas]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_LAMBDA": lambdas_of_session.url,
        "LAMBDA_INVOKE_FUNCTIONS": f"{ARN}resize, {ARN}resize:live,",
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    lambdas_of_session.forget()
    yield lambdas_of_session
    settings.cache_clear()
