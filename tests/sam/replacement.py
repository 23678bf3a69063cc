"""What CloudFormation would replace when one template takes another's place.

AWS publishes a schema of each type of resource, which cfn-lint brings. It names the properties
whose change makes a new resource: an empty one, and of a table or a queue that is a loss.
"""

from __future__ import annotations

from typing import Any, Final

from cfnlint.schema.manager import (  # type: ignore[import-untyped]  # it has no types
    PROVIDER_SCHEMA_MANAGER,
)

from tests.synth.template_text import read

REGION: Final = "us-east-1"
STATE: Final = {"AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::S3::Bucket"}
# SAM makes of these what CloudFormation has; the properties in question have the same names.
SAM: Final = {"AWS::Serverless::Function": "AWS::Lambda::Function"}


def replaced(before: str, after: str) -> list[str]:
    """The resources of `before` that are another's or gone in `after`: `Table: TableName`."""
    old, new = (read(text)["Resources"] for text in (before, after))
    found = []
    for logical, resource in old.items():
        if logical not in new:
            found.append(f"{logical}: gone")
        elif new[logical]["Type"] != resource["Type"]:
            found.append(f"{logical}: Type")
        else:
            found += [
                f"{logical}: {'.'.join(path)}"
                for path in fixed(resource["Type"])
                if at(resource, path) != at(new[logical], path)
            ]
    return found


def fixed(kind: str) -> list[tuple[str, ...]]:
    """The paths of properties whose change replaces a resource, or may."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, SAM.get(kind, kind)).schema
    paths = [*schema.get("createOnlyProperties", ()),
             *schema.get("conditionalCreateOnlyProperties", ())]  # fmt: skip
    return [tuple(path.removeprefix("/properties/").split("/")) for path in paths]


def at(resource: Any, path: tuple[str, ...]) -> Any:
    """A property of a resource; None if it has none."""
    found = resource.get("Properties", {})
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def state(text: str) -> set[str]:
    """The resources of a template that hold what no template can bring back."""
    resources = read(text)["Resources"]
    return {logical for logical, resource in resources.items() if resource["Type"] in STATE}
