"""What a deployment decides: the cluster, which task definitions, and where in the network."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from lambda_workflow import ServiceError
from lambda_workflow.errors import ConfigurationError

_DEFINITION: Final = re.compile(
    r"arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:task-definition/[A-Za-z0-9_-]{1,255}:([0-9]+|\*)"
)
_RESULTS: Final = re.compile(r"[a-z0-9][a-z0-9.-]{2,62}(/[A-Za-z0-9_.-]+)*")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")


@dataclass(frozen=True, slots=True)
class Settings:
    """See the module.

    Attributes:
        definitions: ARNs that end in a revision, or in `:*` for all.
        capacity_provider: empty for Fargate by its launch type.
        results: bucket, and perhaps prefix, of the results in S3; empty where there are none.
    """

    cluster: str
    definitions: tuple[str, ...]
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    public_ip: bool
    capacity_provider: str
    results: str = ""

    def check(self, wanted: str) -> str:
        """The task definition as RunTask takes it, which has no ARN without a revision.

        Raises:
            ServiceError: it is not allowed.
        """
        owner, _, name = wanted.rpartition("/")
        for arn in self.definitions:
            known_owner, _, known = arn.rpartition("/")
            family, _, revision = known.partition(":")
            if owner in ("", known_owner) and (
                name == known or (revision == "*" and name.partition(":")[0] == family)
            ):
                return name
        raise ServiceError(
            f"task definition {wanted!r} may not be run from here: ECS_TASK_DEFINITIONS allows "
            f"{', '.join(self.definitions)}",
            type="NotAllowed",
            retryable=False,
        )

    @property
    def network(self) -> dict[str, Any]:
        """As RunTask takes it; empty for tasks that have no network of their own."""
        if not self.subnets:
            return {}
        where: dict[str, Any] = {
            "subnets": list(self.subnets),
            "assignPublicIp": "ENABLED" if self.public_ip else "DISABLED",
        }
        if self.security_groups:
            where["securityGroups"] = list(self.security_groups)
        return {"networkConfiguration": {"awsvpcConfiguration": where}}


@cache
def settings() -> Settings:
    """Those of this process, read once.

    Raises:
        ConfigurationError: variables are missing or wrong; names all of them.
    """
    return read(os.environ)


def read(environ: Mapping[str, str]) -> Settings:
    """See `settings`."""
    cluster = environ.get("ECS_TASK_CLUSTER", "").strip()
    definitions = _several(environ.get("ECS_TASK_DEFINITIONS", ""))
    subnets = _several(environ.get("ECS_TASK_SUBNETS", ""))
    public_ip = environ.get("ECS_TASK_PUBLIC_IP", "").strip() or "DISABLED"
    provider = environ.get("ECS_TASK_CAPACITY_PROVIDER", "").strip()
    wrong = []
    if not _NAME.fullmatch(cluster):
        wrong.append(f"ECS_TASK_CLUSTER is {cluster!r}: give the cluster's name")
    if not definitions:
        wrong.append("ECS_TASK_DEFINITIONS is not set: give the ARNs of what may be run")
    wrong += [
        f"ECS_TASK_DEFINITIONS has {arn!r}: an ARN of a task definition ends in its revision, or "
        "in :* for all of them"
        for arn in definitions
        if not _DEFINITION.fullmatch(arn)
    ]
    if public_ip not in ("ENABLED", "DISABLED"):
        wrong.append(f"ECS_TASK_PUBLIC_IP is {public_ip!r}: it must be ENABLED or DISABLED")
    if not subnets and not provider:
        wrong.append("ECS_TASK_SUBNETS is not set: Fargate needs the subnets to run in")
    results = environ.get("ECS_TASK_RESULTS", "").strip()
    if results and not _RESULTS.fullmatch(results):
        wrong.append(f"ECS_TASK_RESULTS is {results!r}: give BUCKET or BUCKET/PREFIX")
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    groups = _several(environ.get("ECS_TASK_SECURITY_GROUPS", ""))
    return Settings(
        cluster, definitions, subnets, groups, public_ip == "ENABLED", provider, results
    )


def _several(text: str) -> tuple[str, ...]:
    return tuple(found for part in text.split(",") if (found := part.strip()))
