"""Resources → Terraform JSON, for the AWS provider.

Reasons stand under `//`, which Terraform ignores. The functions' code is a zip file that a variable
names, as Terraform builds none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from lambda_workflow.aws.synth import resources as r
from lambda_workflow.aws.synth.dashboards import as_json
from lambda_workflow.aws.synth.hashicorp import PACKAGE, TYPES, Raw, blocks, given, local
from lambda_workflow.aws.synth.values import (
    Because,
    Builtin,
    Json,
    ListOf,
    Param,
    Parameter,
    Ref,
    Split,
    Text,
    UrlOfArn,
    When,
)

BUILTINS: Final = {
    "account": "data.aws_caller_identity.here.account_id",
    "partition": "data.aws_partition.here.partition",
    "region": "data.aws_region.here.region",
    "suffix": "data.aws_partition.here.dns_suffix",
}
REFS: Final[dict[type, dict[str, str]]] = {
    r.Queue: {"url": "url", "arn": "arn", "name": "name"},
    r.Table: {"name": "name", "arn": "arn"},
    r.Bucket: {"name": "bucket", "arn": "arn"},
    r.ScheduleGroup: {"name": "name", "arn": "arn"},
    r.Role: {"name": "name", "arn": "arn"},
    r.LogGroup: {"name": "name", "streams": "arn"},
    r.Function: {"name": "function_name", "arn": "arn"},
    r.FunctionUrl: {"url": "function_url"},
    r.Policy: {"arn": "arn"},
    r.Rule: {"name": "name", "arn": "arn"},
}
# The oldest provider that takes queues of 1 MiB, and the oldest Terraform that it runs with.
PROVIDER: Final = {"source": "hashicorp/aws", "version": ">= 6.8"}
PROVIDER_OF_URLS: Final = PROVIDER | {"version": ">= 6.29"}  # has `invoked_via_function_url`
TERRAFORM: Final = ">= 1.5"


def to_terraform(stack: r.Stack, header: str) -> str:
    """The configuration's text."""
    return json.dumps(configuration(stack, header), ensure_ascii=False, indent=2) + "\n"


def configuration(stack: r.Stack, header: str) -> dict[str, Any]:
    """The configuration as a tree of plain JSON values."""
    made = _Terraform(stack)
    places: dict[str, dict[str, Any]] = {}
    for resource in stack.resources:
        for kind, id_, body in blocks(resource):
            why = resource.why if kind == TYPES[type(resource)] else ""
            places.setdefault(kind, {})[local(id_)] = made.body(body, why)
    parameters = [*stack.parameters, PACKAGE]
    has_urls = any(isinstance(resource, r.FunctionUrl) for resource in stack.resources)
    provider = PROVIDER_OF_URLS if has_urls else PROVIDER
    return {
        "//": header,
        "terraform": {"required_version": TERRAFORM, "required_providers": {"aws": provider}},
        "variable": {local(p.id): _variable(p) for p in parameters},
        "data": {
            kind: {"here": {}} for kind in ("aws_caller_identity", "aws_partition", "aws_region")
        },
        "resource": places,
        "output": {
            local(o.id): {"description": o.about, "value": made.lower(o.value)}
            for o in stack.outputs
        },
    }


def _variable(parameter: Parameter) -> dict[str, Any]:
    name = f"var.{local(parameter.id)}"
    found: dict[str, Any] = {"type": "string", "description": parameter.about}
    if parameter.default is not None:
        found["default"] = parameter.default
    rules = []
    if parameter.pattern:
        pattern = json.dumps(parameter.pattern)
        rules.append((f"can(regex({pattern}, {name}))", f"It must be like {parameter.pattern} ."))
    if parameter.length_max:
        limit = parameter.length_max
        rules.append((f"length({name}) <= {limit}", f"It may have {limit} characters."))
    if rules:
        found["validation"] = [
            {"condition": f"${{{condition}}}", "error_message": message}
            for condition, message in rules
        ]
    return found


class _Terraform:
    def __init__(self, stack: r.Stack) -> None:
        self._resources = {resource.id: resource for resource in stack.resources}

    def body(self, tree: Mapping[str, Any], why: str = "") -> dict[str, Any]:
        """A block: its values, and before them their reasons."""
        reasons = [why] if why else []
        reasons += [f"{k}: {v.reason}" for k, v in tree.items() if isinstance(v, Because)]
        note = {"//": reasons[0] if len(reasons) == 1 else reasons} if reasons else {}
        lowered = {
            key: self.body(value) if isinstance(value, Mapping) else self.lower(value)
            for key, value in tree.items()
        }
        return note | lowered

    def lower(self, value: Any) -> Any:
        """A value in Terraform's words."""
        match value:
            case Because(inner, _):
                return self.lower(inner)
            case Raw(text):
                return text
            case Ref() | Param() | Builtin() | UrlOfArn():
                return f"${{{self._expression(value)}}}"
            case Text(parts):
                return "".join(map(self._inline, parts))
            case ListOf(param):
                name = f"var.{local(param.id)}"
                return f'${{{name} == "" ? [] : [{name}]}}'
            case Json(tree):
                return as_json(tree, self._inline) if "widgets" in tree else self._json(tree)
            case Mapping():
                return {key: self.lower(item) for key, item in value.items()}
            case list() | tuple():
                return [self.lower(item) for item in value]
            case str():
                return self._inline(value)
            case _:
                return value

    def _inline(self, part: Any) -> str:
        if isinstance(part, str):
            return part.replace("${", "$${").replace("%{", "%%{")
        return str(self.lower(part))

    def _expression(self, value: Ref | Param | Builtin | UrlOfArn) -> str:
        match value:
            case Ref(id, attribute):
                kind = type(self._resources[id])
                counted = "[0]" if getattr(self._resources[id], "unless_empty", ()) else ""
                return f"{TYPES[kind]}.{local(id)}{counted}.{REFS[kind][attribute]}"
            case Param(id):
                return f"var.{local(id)}"
            case Builtin(name):
                return BUILTINS[name]
            case UrlOfArn(arn):
                parts = f'split(":", var.{local(arn.id)})'
                where = f"{parts}[2], {parts}[3], {BUILTINS['suffix']}, {parts}[4], {parts}[5]"
                return f'format("https://%s.%s.%s/%s/%s", {where})'

    def _json(self, value: Any) -> str:
        """JSON text with references in it, and with what is there only under a condition."""
        match value:
            case Because(inner, _):
                return self._json(inner)
            case Split(param):
                return f'${{jsonencode(split(",", var.{local(param.id)}))}}'
            case Mapping():
                pairs = (f"{self._json(key)}: {self._json(item)}" for key, item in value.items())
                return f"{{{', '.join(pairs)}}}"
            case list() | tuple():
                always = [item for item in value if not isinstance(item, When)]
                text = ", ".join(map(self._json, always))
                for item in value:
                    if isinstance(item, When):  # behind another: a policy begins with the log
                        text += (
                            f"%{{ if {given(item.params)} }}, {self._json(item.value)}%{{ endif }}"
                        )
                return f"[{text}]"
            case _:
                return json.dumps(self.lower(value), ensure_ascii=False)
