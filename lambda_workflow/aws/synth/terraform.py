"""Resources → Terraform JSON, for the AWS provider.

Reasons stand under `//`, which Terraform ignores. The functions' code is a zip file that a variable
names, as Terraform builds none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.aws.dynamodb import table_definition
from lambda_workflow.aws.synth import resources as r
from lambda_workflow.aws.synth.sam import (
    DEDUPLICATED,
    EXPIRY,
    HIGH_THROUGHPUT,
    LEVEL,
    LOOP,
    PARTIAL,
    as_json,
    assume,
    dashboard,
    policy,
)
from lambda_workflow.aws.synth.values import (
    Because,
    Builtin,
    ListOf,
    Param,
    Parameter,
    Ref,
    Text,
    UrlOfArn,
    plain,
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
}
TYPES: Final[dict[type, str]] = {
    r.Queue: "aws_sqs_queue",
    r.Table: "aws_dynamodb_table",
    r.Bucket: "aws_s3_bucket",
    r.ScheduleGroup: "aws_scheduler_schedule_group",
    r.Role: "aws_iam_role",
    r.LogGroup: "aws_cloudwatch_log_group",
    r.Function: "aws_lambda_function",
    r.Trigger: "aws_lambda_event_source_mapping",
    r.LogCount: "aws_cloudwatch_log_metric_filter",
    r.Alarm: "aws_cloudwatch_metric_alarm",
    r.Dashboard: "aws_cloudwatch_dashboard",
}
PACKAGE: Final = Parameter("package", "The zip file with the functions' code, built for arm64.")
# The oldest provider that has `aws_region.region`, and the oldest Terraform that it runs with.
PROVIDER: Final = {"source": "hashicorp/aws", "version": ">= 6.0"}
TERRAFORM: Final = ">= 1.5"


def to_terraform(stack: r.Stack, header: str) -> str:
    """The configuration's text."""
    return json.dumps(configuration(stack, header), ensure_ascii=False, indent=2) + "\n"


def configuration(stack: r.Stack, header: str) -> dict[str, Any]:
    """The configuration as a tree of plain JSON values."""
    made = _Terraform(stack)
    places: dict[str, dict[str, Any]] = {}
    for resource in stack.resources:
        for kind, id_, body in made.blocks(resource):
            why = resource.why if kind == TYPES[type(resource)] else ""
            places.setdefault(kind, {})[local(id_)] = made.body(body, why)
    parameters = [*stack.parameters, PACKAGE]
    return {
        "//": header,
        "terraform": {"required_version": TERRAFORM, "required_providers": {"aws": PROVIDER}},
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


def local(id_: str) -> str:
    """An id as Terraform wants it."""
    return id_.lower().replace("-", "_")


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


@dataclass(frozen=True, slots=True)
class _Done:
    """Text in which references stand already."""

    text: str


class _Terraform:
    def __init__(self, stack: r.Stack) -> None:
        self._types = {resource.id: type(resource) for resource in stack.resources}

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
            case _Done(text):
                return text
            case Ref() | Param() | Builtin() | UrlOfArn():
                return f"${{{self._expression(value)}}}"
            case Text(parts):
                return "".join(map(self._inline, parts))
            case ListOf(param):
                name = f"var.{local(param.id)}"
                return f'${{{name} == "" ? [] : [{name}]}}'
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
                kind = self._types[id]
                return f"{TYPES[kind]}.{local(id)}.{REFS[kind][attribute]}"
            case Param(id):
                return f"var.{local(id)}"
            case Builtin(name):
                return BUILTINS[name]
            case UrlOfArn(arn):
                parts = f'split(":", var.{local(arn.id)})'
                where = f"{parts}[2], {parts}[3], {BUILTINS['suffix']}, {parts}[4], {parts}[5]"
                return f'format("https://%s.%s.%s/%s/%s", {where})'

    def _json(self, value: Any) -> str:
        """JSON text with references in it."""
        return json.dumps(self.lower(value), ensure_ascii=False)

    def blocks(self, resource: r.Resource) -> list[tuple[str, str, dict[str, Any]]]:
        """Type, name and body of each block that a resource becomes."""
        kind = TYPES[type(resource)]
        match resource:
            case r.Queue():
                body = _queue(resource)
                if resource.receives:
                    redrive = {"deadLetterTargetArn": Ref(resource.dead_letters, "arn"),
                               "maxReceiveCount": plain(resource.receives)}  # fmt: skip
                    policy_ = Because(_Done(self._json(redrive)), resource.receives.reason)
                    body["redrive_policy"] = policy_
            case r.Table():
                body = _table(resource)
            case r.Bucket():
                return [(kind, resource.id, _KEPT), *_bucket(resource)]
            case r.ScheduleGroup(name=name):
                body = {"name": name}
            case r.Role():
                body = {"assume_role_policy": _Done(self._json(assume(resource)))}
                rules = {"name": "own", "role": Ref(resource.id, "name"),
                         "policy": _Done(self._json(self._policy(resource)))}  # fmt: skip
                return [(kind, resource.id, body), ("aws_iam_role_policy", resource.id, rules)]
            case r.LogGroup(name=name, days=days):
                body = {"name": name, "retention_in_days": days}
            case r.Function():
                loop = {"function_name": Ref(resource.id, "name"), "recursive_loop": LOOP}
                recursion = ("aws_lambda_function_recursion_config", resource.id, loop)
                return [(kind, resource.id, _function(resource)), recursion]
            case r.Trigger():
                body = _trigger(resource)
            case r.LogCount():
                body = _count(resource)
            case r.Alarm():
                body = _alarm(resource)
            case r.Dashboard(name=name):
                text = as_json(dashboard(resource), self._inline)
                body = {"dashboard_name": name, "dashboard_body": _Done(text)}
        return [(kind, resource.id, body)]

    def _policy(self, role: r.Role) -> dict[str, Any]:
        """A log group's ARN has no `:*` here, as it has in CloudFormation."""
        made = policy(role)
        for statement in made["Statement"]:
            statement["Resource"] = [
                Text((t, ":*")) if isinstance(t, Ref) and t.attribute == "streams" else t
                for t in statement["Resource"]
            ]
        return made


def _queue(queue: r.Queue) -> dict[str, Any]:
    body: dict[str, Any] = {"name": queue.name}
    if queue.fifo:
        body["fifo_queue"] = True
        body["content_based_deduplication"] = DEDUPLICATED
        body["deduplication_scope"] = HIGH_THROUGHPUT
        body["fifo_throughput_limit"] = "perMessageGroupId"
    if queue.visibility_seconds:
        body["visibility_timeout_seconds"] = queue.visibility_seconds
    body["message_retention_seconds"] = queue.retention_seconds
    return body | ({"kms_master_key_id": queue.kms_key} if queue.kms_key
                   else {"sqs_managed_sse_enabled": True})  # fmt: skip


def _table(table: r.Table) -> dict[str, Any]:
    made = table_definition("")
    encryption: dict[str, Any] = {"enabled": True}
    if table.kms_key:
        encryption["kms_key_arn"] = table.kms_key
    return {
        "name": table.name,
        "billing_mode": made["BillingMode"],
        **_keys(made["KeySchema"]),
        "attribute": [
            {"name": a["AttributeName"], "type": a["AttributeType"]}
            for a in made["AttributeDefinitions"]
        ],
        "global_secondary_index": [
            {
                "name": index["IndexName"],
                **_keys(index["KeySchema"]),
                "projection_type": index["Projection"]["ProjectionType"],
                "non_key_attributes": index["Projection"]["NonKeyAttributes"],
            }
            for index in made["GlobalSecondaryIndexes"]
        ],
        "ttl": {"attribute_name": EXPIRY, "enabled": True},
        "point_in_time_recovery": {"enabled": table.recovery},
        "server_side_encryption": encryption,
        "deletion_protection_enabled": table.protected,
        **_KEPT,
    }


def _keys(schema: list[dict[str, str]]) -> dict[str, str]:
    names = {"HASH": "hash_key", "RANGE": "range_key"}
    return {names[key["KeyType"]]: key["AttributeName"] for key in schema}


_KEPT: Final = {"lifecycle": {"prevent_destroy": True}}


def _bucket(bucket: r.Bucket) -> list[tuple[str, str, dict[str, Any]]]:
    name = {"bucket": Ref(bucket.id, "name")}
    default: dict[str, Any] = {"sse_algorithm": "AES256"}
    if bucket.kms_key:
        default = {"sse_algorithm": "aws:kms", "kms_master_key_id": bucket.kms_key}
    closed = ("block_public_acls", "block_public_policy", "ignore_public_acls",
              "restrict_public_buckets")  # fmt: skip
    expiry = {"id": "expiry", "status": "Enabled", "filter": {},
              "expiration": {"days": bucket.expiry_days}}  # fmt: skip
    encryption = {"apply_server_side_encryption_by_default": default}
    return [
        ("aws_s3_bucket_public_access_block", bucket.id, name | dict.fromkeys(closed, True)),
        ("aws_s3_bucket_server_side_encryption_configuration", bucket.id,
         name | {"rule": encryption}),
        ("aws_s3_bucket_lifecycle_configuration", bucket.id, name | {"rule": expiry}),
    ]  # fmt: skip


def _function(function: r.Function) -> dict[str, Any]:
    package = Param(PACKAGE.id)
    return {
        "function_name": function.name,
        "filename": package,
        "source_code_hash": _Done(f"${{filebase64sha256(var.{local(PACKAGE.id)})}}"),
        "handler": function.handler,
        "runtime": f"python{function.python}",
        "architectures": ["arm64"],
        "memory_size": function.memory_mb,
        "timeout": function.timeout_seconds,
        "role": Ref(function.role, "arn"),
        "logging_config": {
            "log_group": Ref(function.log, "name"),
            "log_format": "JSON",
            "application_log_level": LEVEL,
            "system_log_level": "WARN",
        },
        "environment": {"variables": function.environment},
        "depends_on": [f"aws_iam_role_policy.{local(function.role)}"],
    }


def _trigger(trigger: r.Trigger) -> dict[str, Any]:
    return {
        "event_source_arn": Ref(trigger.queue, "arn"),
        "function_name": Ref(trigger.function, "arn"),
        "batch_size": trigger.batch,
        "function_response_types": PARTIAL,
        "scaling_config": {"maximum_concurrency": trigger.concurrency},
    }


def _count(count: r.LogCount) -> dict[str, Any]:
    metric = {
        "namespace": count.metric.namespace,
        "name": count.metric.name,
        "value": "1",
        "unit": "Count",
    }
    return {
        "name": count.metric.name,
        "log_group_name": Ref(count.log, "name"),
        "pattern": count.pattern,
        "metric_transformation": metric,
    }


def _alarm(alarm: r.Alarm) -> dict[str, Any]:
    return {
        "alarm_name": alarm.name,
        "alarm_description": alarm.why,
        "namespace": alarm.metric.namespace,
        "metric_name": alarm.metric.name,
        **({"dimensions": alarm.metric.dimensions} if alarm.metric.dimensions else {}),
        "statistic": alarm.statistic,
        "period": 60,
        "evaluation_periods": alarm.periods,
        "comparison_operator": "GreaterThanThreshold",
        "threshold": alarm.threshold,
        "treat_missing_data": "notBreaching",
        "alarm_actions": alarm.topic,
    }
