"""Resources → a SAM template: CloudFormation, with functions in SAM's form so that it builds them.

Roles and triggers are written out: those that SAM would make have managed policies, which allow
more than a function needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_workflow.aws.synth import resources as r
from lambda_workflow.aws.synth.cloudformation import shape
from lambda_workflow.aws.synth.dashboards import as_json
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
from lambda_workflow.aws.synth.yaml import Block, Tag, Titled, to_yaml

BUILTINS: Final = {
    "account": "AWS::AccountId",
    "partition": "AWS::Partition",
    "region": "AWS::Region",
    "suffix": "AWS::URLSuffix",
}
# What `!Ref` gives, and what `!GetAtt`, of each type.
REFS: Final[dict[type, dict[str, str]]] = {
    r.Queue: {"url": "", "arn": "Arn", "name": "QueueName"},
    r.Table: {"name": "", "arn": "Arn"},
    r.Bucket: {"name": "", "arn": "Arn"},
    r.ScheduleGroup: {"name": "", "arn": "Arn"},
    r.Role: {"name": "", "arn": "Arn"},
    r.LogGroup: {"name": "", "streams": "Arn"},  # the ARN ends in `:*`
    r.Function: {"name": "", "arn": "Arn"},
    r.FunctionUrl: {"url": "FunctionUrl"},
    r.Policy: {"arn": ""},
    r.Rule: {"arn": "Arn"},
}


def to_sam(stack: r.Stack) -> str:
    """The template's text."""
    return to_yaml(template(stack))


def template(stack: r.Stack) -> dict[str, Any]:
    """The template as a tree, whose leaves `yaml` knows."""
    sam = _Sam(stack)
    resources = {logical(x.id): Titled(sam.resource(x), x.why) for x in stack.resources}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": stack.about,
        "Parameters": {logical(p.id): _parameter(p) for p in stack.parameters},
        "Conditions": sam.conditions,
        "Resources": resources,
        "Outputs": {
            logical(o.id): {"Description": o.about, "Value": sam.lower(o.value)}
            for o in stack.outputs
        },
    }


def logical(id_: str) -> str:
    """An id as CloudFormation wants it: letters and digits alone."""
    words = id_.replace("_", "-").split("-")
    return "".join(word[:1].upper() + word[1:].lower() for word in words)


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"Type": "String", "Description": parameter.about}
    if parameter.default is not None:
        found["Default"] = parameter.default
    if parameter.pattern:
        found["AllowedPattern"] = parameter.pattern
    if parameter.length_max:
        found["MaxLength"] = parameter.length_max
    return found


class _Sam:
    def __init__(self, stack: r.Stack) -> None:
        self._types = {resource.id: type(resource) for resource in stack.resources}
        self.conditions: dict[str, Any] = {}

    def resource(self, resource: r.Resource) -> dict[str, Any]:
        kind, properties, extras = shape(resource)
        if params := getattr(resource, "unless_empty", ()):
            extras = extras | {"Condition": self._condition(params)}
        return {"Type": kind, **extras, "Properties": self.lower(properties)}

    def _condition(self, params: tuple[Param, ...]) -> str:
        """The name of a condition, which then is one of the template's: none of them is empty."""
        names = [logical(param.id) for param in params]
        tests = [Tag("Not", [Tag("Equals", [Tag("Ref", name), ""])]) for name in names]
        found = f"Has{''.join(names)}"
        self.conditions[found] = tests[0] if len(tests) == 1 else Tag("And", tests)
        return found

    def lower(self, value: Any) -> Any:
        """A value in CloudFormation's words."""
        match value:
            case Because(inner, reason):
                return Because(self.lower(inner), reason)
            case Ref():
                path = self._path(value)
                return Tag("GetAtt", path) if "." in path else Tag("Ref", path)
            case Param(id):
                return Tag("Ref", logical(id))
            case Builtin():
                return Tag("Ref", BUILTINS[value.name])
            case Text(parts) if len(parts) == 1:
                return self.lower(parts[0])
            case Text(parts):
                return Tag("Sub", "".join(map(self._inline, parts)))
            case UrlOfArn(arn):
                return self._url(arn)
            case ListOf(param):
                return self._if((param,), [Tag("Ref", logical(param.id))])
            case Split(param):
                return Tag("Split", [",", Tag("Ref", logical(param.id))])
            case When(params, inner):
                return self._if(params, self.lower(inner))
            case Json(tree):
                return Block(self._json(tree), "Sub")
            case Mapping():
                return {self.lower(key): self.lower(item) for key, item in value.items()}
            case list() | tuple():
                return [self.lower(item) for item in value]
            case _:
                return value

    def _if(self, params: tuple[Param, ...], value: Any) -> Tag:
        return Tag("If", [self._condition(params), value, Tag("Ref", "AWS::NoValue")])

    def _inline(self, part: str | Ref | Param | Builtin) -> str:
        match part:
            case Ref():
                return f"${{{self._path(part)}}}"
            case Param(id):
                return f"${{{logical(id)}}}"
            case Builtin():
                return f"${{{BUILTINS[part.name]}}}"
            case _:
                return part.replace("${", "${!")

    def _path(self, ref: Ref) -> str:
        attribute = REFS[self._types[ref.id]][ref.attribute]
        return logical(ref.id) + (f".{attribute}" if attribute else "")

    def _url(self, arn: Param) -> Tag:
        def part(number: int) -> Tag:
            return Tag("Select", [number, Tag("Split", [":", Tag("Ref", logical(arn.id))])])

        where = {"Service": part(2), "Region": part(3), "Account": part(4), "Queue": part(5)}
        text = "https://${Service}.${Region}.${AWS::URLSuffix}/${Account}/${Queue}"
        return Tag("Sub", [text, where])

    def _json(self, value: Any) -> str:
        def text(leaf: Any) -> str:
            if isinstance(leaf, Text):
                return "".join(map(self._inline, leaf.parts))
            return self._inline(leaf)

        return as_json(value, text)
