"""What an update of a stack does and moto does not.

1. A role gets the policies of the new template.
2. Tables and log groups are kept; moto forgets them. Their new properties are not applied.
"""

from __future__ import annotations

from typing import Any

from moto.dynamodb.models.table import Table
from moto.iam.models import Role
from moto.logs.models import LogGroup


def install() -> None:
    """Put these in the place of moto's."""
    for kind, update in ((Role, _with_policies), (Table, _kept), (LogGroup, _kept)):
        setattr(kind, "update_from_cloudformation_json", staticmethod(update))  # noqa: B010


def _with_policies(original_resource: Role, cloudformation_json: Any, **_: Any) -> Role:
    given = cloudformation_json["Properties"].get("Policies", ())
    original_resource.policies = {p["PolicyName"]: p["PolicyDocument"] for p in given}
    return original_resource


def _kept(original_resource: Any, **_: Any) -> Any:
    return original_resource
