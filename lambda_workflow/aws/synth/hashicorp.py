"""Resources → blocks, in the words of HashiCorp's AWS provider; references stand as they are."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.aws.deployment import APPLY
from lambda_workflow.aws.synth import resources as r
from lambda_workflow.aws.synth.cloudformation import (
    BUCKET_KEY,
    DEDUPLICATED,
    HIGH_THROUGHPUT,
    LEVEL,
    LOOP,
    MESSAGE_BYTES,
    PARTIAL,
)
from lambda_workflow.aws.synth.dashboards import dashboard
from lambda_workflow.aws.synth.names import EXPIRY
from lambda_workflow.aws.synth.policies import assume, bucket_policy, policy, queue_policy
from lambda_workflow.aws.synth.values import Because, Json, Param, Parameter, Ref, Text, plain

TYPES: Final[dict[type, str]] = {
    r.Queue: "aws_sqs_queue",
    r.Table: "aws_dynamodb_table",
    r.Bucket: "aws_s3_bucket",
    r.ScheduleGroup: "aws_scheduler_schedule_group",
    r.Role: "aws_iam_role",
    r.Policy: "aws_iam_policy",
    r.LogGroup: "aws_cloudwatch_log_group",
    r.Function: "aws_lambda_function",
    r.Trigger: "aws_lambda_event_source_mapping",
    r.FunctionUrl: "aws_lambda_function_url",
    r.Permission: "aws_lambda_permission",
    r.Rule: "aws_cloudwatch_event_rule",
    r.QueuePolicy: "aws_sqs_queue_policy",
    r.BucketPolicy: "aws_s3_bucket_policy",
    r.Schedules: "aws_lambda_invocation",
    r.LogCount: "aws_cloudwatch_log_metric_filter",
    r.Alarm: "aws_cloudwatch_metric_alarm",
    r.Dashboard: "aws_cloudwatch_dashboard",
}
PACKAGE: Final = Parameter("package", "The zip file with the functions' code, built for arm64.")


Block = tuple[str, str, dict[str, Any]]  # type, name, body


@dataclass(frozen=True, slots=True)
class Raw:
    """Text in which references stand already."""

    text: str


def blocks(resource: r.Resource) -> list[Block]:
    """Type, name and body of each block that a resource becomes."""
    kind = TYPES[type(resource)]
    match resource:
        case r.Queue():
            body = _queue(resource)
        case r.Table():
            body = _table(resource)
        case r.Bucket():
            return [(kind, resource.id, _KEPT), *_bucket(resource)]
        case r.ScheduleGroup(name=name):
            body = {"name": name}
        case r.Role():
            return _role(resource)
        case r.Policy(why=why, statements=statements):
            body = {"description": why, "policy": Json(policy(statements))}
        case r.LogGroup():
            body = _log_group(resource)
        case r.Function():
            return [(kind, resource.id, _function(resource)), _recursion(resource)]
        case r.Trigger():
            body = _trigger(resource)
        case r.FunctionUrl(function=function):
            body = {"function_name": Ref(function, "name"), "authorization_type": "NONE"}
        case r.Permission():
            body = _permission(resource)
        case r.Rule():
            return _rule(resource)
        case r.QueuePolicy():
            body = _queue_policy(resource)
        case r.BucketPolicy(bucket=bucket):
            body = {"bucket": Ref(bucket, "name"), "policy": Json(bucket_policy(resource))}
        case r.Schedules():
            body = _schedules(resource)
        case r.LogCount():
            body = _count(resource)
        case r.Alarm():
            body = _alarm(resource)
        case r.Dashboard(name=name):
            body = {"dashboard_name": name, "dashboard_body": Json(dashboard(resource))}
    return [(kind, resource.id, body)]


def local(id_: str) -> str:
    """An id as Terraform wants it."""
    return id_.lower().replace("-", "_")


def _role(role: r.Role) -> list[Block]:
    """A log group's ARN has no `:*` here, as it has in CloudFormation."""
    allowed = policy(
        dataclasses.replace(statement, targets=tuple(map(_with_streams, statement.targets)))
        for statement in role.statements
    )
    rules = {"name": "own", "role": Ref(role.id, "name"), "policy": Json(allowed)}
    return [
        (TYPES[r.Role], role.id, {"assume_role_policy": Json(assume(role))}),
        ("aws_iam_role_policy", role.id, rules),
    ]


def _with_streams(target: r.Target) -> r.Target:
    if isinstance(target, Ref) and target.attribute == "streams":
        return Text((target, ":*"))
    return target


def _recursion(function: r.Function) -> Block:
    loop = {"function_name": Ref(function.id, "name"), "recursive_loop": LOOP}
    return "aws_lambda_function_recursion_config", function.id, loop


def _log_group(log: r.LogGroup) -> dict[str, Any]:
    key = {"kms_key_id": log.kms_key} if log.kms_key else {}
    return {"name": log.name, "retention_in_days": log.days, **key}


def _queue_policy(made: r.QueuePolicy) -> dict[str, Any]:
    return {
        "queue_url": Ref(made.queue, "url"),
        "policy": Json(queue_policy(made)),
    }


def _schedules(schedules: r.Schedules) -> dict[str, Any]:
    return {
        "function_name": Ref(schedules.function, "name"),
        "input": Json({APPLY: schedules.digests}),
        "depends_on": [f"aws_iam_role_policy.{local(schedules.role)}"],
    }


def _queue(queue: r.Queue) -> dict[str, Any]:
    body: dict[str, Any] = {"name": queue.name}
    if queue.fifo:
        body["fifo_queue"] = True
        body["content_based_deduplication"] = DEDUPLICATED
        body["deduplication_scope"] = HIGH_THROUGHPUT
        body["fifo_throughput_limit"] = "perMessageGroupId"
    if queue.visibility_seconds:
        body["visibility_timeout_seconds"] = queue.visibility_seconds
    body["max_message_size"] = MESSAGE_BYTES
    body["message_retention_seconds"] = queue.retention_seconds
    body |= (
        {"kms_master_key_id": queue.kms_key} if queue.kms_key else {"sqs_managed_sse_enabled": True}
    )
    if queue.receives:
        redrive = {"deadLetterTargetArn": Ref(queue.dead_letters, "arn"),
                   "maxReceiveCount": plain(queue.receives)}  # fmt: skip
        body["redrive_policy"] = Because(Json(redrive), queue.receives.reason)
    return body | (_KEPT if queue.kept else {})


def _table(table: r.Table) -> dict[str, Any]:
    made = table.definition
    # without it DynamoDB encrypts with a key of its own, whose requests cost nothing
    encryption = {"server_side_encryption": {"enabled": True, "kms_key_arn": table.kms_key}}
    indexes = [
        {
            "name": index["IndexName"],
            **_keys(index["KeySchema"]),
            "projection_type": index["Projection"]["ProjectionType"],
            "non_key_attributes": index["Projection"]["NonKeyAttributes"],
        }
        for index in made.get("GlobalSecondaryIndexes", [])
    ]
    return {
        "name": table.name,
        "billing_mode": made["BillingMode"],
        **_keys(made["KeySchema"]),
        "attribute": [
            {"name": a["AttributeName"], "type": a["AttributeType"]}
            for a in made["AttributeDefinitions"]
        ],
        **({"global_secondary_index": indexes} if indexes else {}),
        "ttl": {"attribute_name": EXPIRY, "enabled": True},
        "point_in_time_recovery": {"enabled": table.recovery},
        **(encryption if table.kms_key else {}),
        "deletion_protection_enabled": table.protected,
        **_KEPT,
    }


def _keys(schema: list[dict[str, str]]) -> dict[str, str]:
    names = {"HASH": "hash_key", "RANGE": "range_key"}
    return {names[key["KeyType"]]: key["AttributeName"] for key in schema}


_KEPT: Final = {"lifecycle": {"prevent_destroy": True}}


def _bucket(bucket: r.Bucket) -> list[Block]:
    name = {"bucket": Ref(bucket.id, "name")}
    default = "apply_server_side_encryption_by_default"
    encryption: dict[str, Any] = {default: {"sse_algorithm": "AES256"}}
    if bucket.kms_key:
        algorithm = {"sse_algorithm": "aws:kms", "kms_master_key_id": bucket.kms_key}
        encryption = {default: algorithm, "bucket_key_enabled": BUCKET_KEY}
    closed = ("block_public_acls", "block_public_policy", "ignore_public_acls",
              "restrict_public_buckets")  # fmt: skip
    expiry = {"id": "expiry", "status": "Enabled", "filter": {},
              "expiration": {"days": bucket.expiry_days}}  # fmt: skip
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
        "source_code_hash": Raw(f"${{filebase64sha256(var.{local(PACKAGE.id)})}}"),
        "handler": function.handler,
        "runtime": f"python{function.python}",
        "architectures": ["arm64"],
        "memory_size": function.memory_mb,
        "timeout": function.timeout_seconds,
        **({"reserved_concurrent_executions": function.reserved} if function.reserved else {}),
        "role": Ref(function.role, "arn"),
        "logging_config": {
            "log_group": Ref(function.log, "name"),
            "log_format": "JSON",
            "application_log_level": LEVEL,
            "system_log_level": "WARN",
        },
        **({"kms_key_arn": function.kms_key} if function.kms_key else {}),
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


def _permission(permission: r.Permission) -> dict[str, Any]:
    by_url: dict[str, Any] = {"function_url_auth_type": "NONE"}
    return {
        "statement_id": permission.id,
        "function_name": Ref(permission.function, "name"),
        "action": "lambda:InvokeFunction" if permission.direct else "lambda:InvokeFunctionUrl",
        "principal": "*",
        **({"invoked_via_function_url": True} if permission.direct else by_url),
    }


def _rule(rule: r.Rule) -> list[Block]:
    body = {"name": rule.name, "event_bus_name": rule.bus, "event_pattern": rule.pattern}
    target = {
        "rule": Ref(rule.id, "name"),
        "event_bus_name": rule.bus,
        "arn": Ref(rule.queue, "arn"),
        "dead_letter_config": {"arn": Ref(rule.dead_letters, "arn")},
    }
    count = _count_of(rule.unless_empty)
    return [
        (TYPES[r.Rule], rule.id, body | count),
        ("aws_cloudwatch_event_target", rule.id, target | count),
    ]


def _count_of(params: tuple[Param, ...]) -> dict[str, Any]:
    """None where one of the parameters is empty."""
    return {"count": Raw(f"${{{given(params)} ? 1 : 0}}")} if params else {}


def given(params: tuple[Param, ...]) -> str:
    """The condition that none of the parameters is empty."""
    return " && ".join(f'var.{local(param.id)} != ""' for param in params)


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
        "datapoints_to_alarm": alarm.breaching,
        "comparison_operator": "GreaterThanThreshold",
        "threshold": alarm.threshold,
        "treat_missing_data": "notBreaching",
        "alarm_actions": alarm.topic,
    }
