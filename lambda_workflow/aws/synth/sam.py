"""Resources → a SAM template: CloudFormation, with functions in SAM's form so that it builds them.

Roles and triggers are written out: those that SAM would make have managed policies, which allow
more than a function needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from lambda_workflow.aws.dynamodb import table_definition
from lambda_workflow.aws.synth import resources as r
from lambda_workflow.aws.synth.values import (
    Because,
    Builtin,
    ListOf,
    Param,
    Parameter,
    Ref,
    Text,
    UrlOfArn,
)
from lambda_workflow.aws.synth.yaml import Block, Tag, Titled, to_yaml

EXPIRY: Final = "x"  # the attribute of dynamodb.py that TTL looks at
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
}
Extras = dict[str, Any]


def to_sam(stack: r.Stack) -> str:
    """The template's text."""
    return to_yaml(template(stack))


def template(stack: r.Stack) -> dict[str, Any]:
    """The template as a tree, whose leaves `yaml` knows."""
    sam = _Sam(stack)
    lists = [p for p in stack.parameters if p.default == ""]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": stack.about,
        "Parameters": {logical(p.id): _parameter(p) for p in stack.parameters},
        "Conditions": {
            f"Has{logical(p.id)}": Tag("Not", [Tag("Equals", [Tag("Ref", logical(p.id)), ""])])
            for p in lists
        },
        "Resources": {logical(x.id): Titled(sam.resource(x), x.why) for x in stack.resources},
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

    def resource(self, resource: r.Resource) -> dict[str, Any]:
        kind, properties, extras = self._shape(resource)
        return {"Type": kind, **extras, "Properties": self.lower(properties)}

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
                name = logical(param.id)
                chosen = [f"Has{name}", [Tag("Ref", name)], Tag("Ref", "AWS::NoValue")]
                return Tag("If", chosen)
            case Mapping():
                return {self.lower(key): self.lower(item) for key, item in value.items()}
            case list() | tuple():
                return [self.lower(item) for item in value]
            case _:
                return value

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

    def _shape(self, resource: r.Resource) -> tuple[str, dict[str, Any], Extras]:
        match resource:
            case r.Queue():
                return "AWS::SQS::Queue", _queue(resource), {}
            case r.Table():
                return "AWS::DynamoDB::Table", _table(resource), _KEPT
            case r.Bucket():
                return "AWS::S3::Bucket", _bucket(resource), _KEPT
            case r.ScheduleGroup(name=name):
                return "AWS::Scheduler::ScheduleGroup", {"Name": name}, {}
            case r.Role():
                return "AWS::IAM::Role", _role(resource), {}
            case r.LogGroup(name=name, days=days):
                found = {"LogGroupName": name, "RetentionInDays": days}
                return "AWS::Logs::LogGroup", found, {}
            case r.Function():
                return "AWS::Serverless::Function", _function(resource), {}
            case r.Trigger():
                return "AWS::Lambda::EventSourceMapping", _trigger(resource), {}
            case r.LogCount():
                return "AWS::Logs::MetricFilter", _count(resource), {}
            case r.Alarm():
                return "AWS::CloudWatch::Alarm", _alarm(resource), {}
            case r.Dashboard(name=name):
                body = Block(self._json(dashboard(resource)), "Sub")
                found = {"DashboardName": name, "DashboardBody": body}
                return "AWS::CloudWatch::Dashboard", found, {}

    def _json(self, value: Any) -> str:
        def text(leaf: Any) -> str:
            if isinstance(leaf, Text):
                return "".join(map(self._inline, leaf.parts))
            return self._inline(leaf)

        return as_json(value, text)


_KEPT: Final = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}


def as_json(value: Any, text: Any) -> str:
    """JSON of a dashboard, a line for each metric; `text` says what stands for a reference."""

    def line(part: Any) -> str:
        return json.dumps(part, default=text, ensure_ascii=False)

    charts = []
    for chart in value["widgets"]:
        metrics = ",\n    ".join(line(metric) for metric in chart["properties"]["metrics"])
        head = line(chart | {"properties": chart["properties"] | {"metrics": []}})
        charts.append(head.removesuffix("]}}") + f"\n    {metrics}]}}}}")
    return '{"widgets": [\n  ' + ",\n  ".join(charts) + "\n]}"


def dashboard(board: r.Dashboard) -> dict[str, Any]:
    """CloudWatch's form of a dashboard, with references in it."""
    width, height = 12, 6
    return {
        "widgets": [
            {
                "type": "metric",
                "x": width * (number % 2),
                "y": height * (number // 2),
                "width": width,
                "height": height,
                "properties": {
                    "title": title,
                    "region": Builtin("region"),
                    "stat": statistic,
                    "period": 60,
                    "metrics": [_series(metric) for metric in metrics],
                },
            }
            for number, (title, statistic, metrics) in enumerate(board.charts)
        ]
    }


def _series(metric: r.Metric) -> list[Any]:
    dimensions = [part for pair in metric.dimensions.items() for part in pair]
    return [metric.namespace, metric.name, *dimensions]


def _queue(queue: r.Queue) -> dict[str, Any]:
    found: dict[str, Any] = {"QueueName": queue.name}
    if queue.fifo:
        found["FifoQueue"] = True
        found["ContentBasedDeduplication"] = DEDUPLICATED
        found["DeduplicationScope"] = HIGH_THROUGHPUT
        found["FifoThroughputLimit"] = "perMessageGroupId"
    if queue.visibility_seconds:
        found["VisibilityTimeout"] = queue.visibility_seconds
    found["MessageRetentionPeriod"] = queue.retention_seconds
    if queue.receives:
        found["RedrivePolicy"] = {
            "deadLetterTargetArn": Ref(queue.dead_letters, "arn"),
            "maxReceiveCount": queue.receives,
        }
    return found | ({"KmsMasterKeyId": queue.kms_key} if queue.kms_key
                    else {"SqsManagedSseEnabled": True})  # fmt: skip


DEDUPLICATED: Final = Because(True, "Scheduler's messages need it; all others have explicit ids.")
HIGH_THROUGHPUT: Final = Because("messageGroup", "High-throughput mode: limits count per group.")


def _table(table: r.Table) -> dict[str, Any]:
    made = table_definition("")
    key = {"KMSMasterKeyId": table.kms_key} if table.kms_key else {}
    return {
        **made,
        "TableName": table.name,
        "TimeToLiveSpecification": {"AttributeName": EXPIRY, "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": table.recovery},
        "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", **key},
        "DeletionProtectionEnabled": table.protected,
    }


def _bucket(bucket: r.Bucket) -> dict[str, Any]:
    algorithm = {"SSEAlgorithm": "AES256"}
    if bucket.kms_key:
        algorithm = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": bucket.kms_key}  # type: ignore[dict-item]  # rendered later
    rule = {"Id": "expiry", "Status": "Enabled", "ExpirationInDays": bucket.expiry_days}
    encryption = {"ServerSideEncryptionByDefault": algorithm}
    return {
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
        "LifecycleConfiguration": {"Rules": [rule]},
    }


def assume(role: r.Role) -> dict[str, Any]:
    """Who may assume a role."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": role.service},
        "Action": "sts:AssumeRole",
    }
    if role.trust:
        statement["Condition"] = role.trust
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(role: r.Role) -> dict[str, Any]:
    """What a role may do."""
    statements: list[dict[str, Any]] = []
    for statement in role.statements:
        found: dict[str, Any] = {
            "Sid": statement.sid,
            "Effect": "Allow",
            "Action": list(statement.actions),
            "Resource": list(statement.targets),
        }
        statements.append(found | ({"Condition": statement.conditions} if statement.conditions
                                   else {}))  # fmt: skip
    return {"Version": "2012-10-17", "Statement": statements}


def _role(role: r.Role) -> dict[str, Any]:
    own = {"PolicyName": "own", "PolicyDocument": policy(role)}
    return {"AssumeRolePolicyDocument": assume(role), "Policies": [own]}


def _function(function: r.Function) -> dict[str, Any]:
    return {
        "FunctionName": function.name,
        "CodeUri": function.code,
        "Handler": function.handler,
        "Runtime": f"python{function.python}",
        "Architectures": ["arm64"],
        "MemorySize": function.memory_mb,
        "Timeout": function.timeout_seconds,
        "Role": Ref(function.role, "arn"),
        "RecursiveLoop": LOOP,
        "LoggingConfig": {
            "LogGroup": Ref(function.log, "name"),
            "LogFormat": "JSON",
            "ApplicationLogLevel": LEVEL,
            "SystemLogLevel": "WARN",
        },
        "Environment": {"Variables": function.environment},
    }


LOOP: Final = Because(
    "Allow", "Workflow, queue, service, queue, workflow: a loop that Lambda must not cut."
)
LEVEL: Final = Because("INFO", "The ends of executions are told at this level.")


def _trigger(trigger: r.Trigger) -> dict[str, Any]:
    return {
        "EventSourceArn": Ref(trigger.queue, "arn"),
        "FunctionName": Ref(trigger.function, "name"),
        "BatchSize": trigger.batch,
        "FunctionResponseTypes": PARTIAL,
        "ScalingConfig": {"MaximumConcurrency": trigger.concurrency},
    }


PARTIAL: Final = Because(
    ["ReportBatchItemFailures"], "Only what failed comes again, not the whole batch."
)


def _count(count: r.LogCount) -> dict[str, Any]:
    return {
        "LogGroupName": Ref(count.log, "name"),
        "FilterPattern": count.pattern,
        "MetricTransformations": [
            {
                "MetricNamespace": count.metric.namespace,
                "MetricName": count.metric.name,
                "MetricValue": "1",
                "Unit": "Count",
            }
        ],
    }


def _alarm(alarm: r.Alarm) -> dict[str, Any]:
    dimensions = [{"Name": n, "Value": v} for n, v in alarm.metric.dimensions.items()]
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.why,
        "Namespace": alarm.metric.namespace,
        "MetricName": alarm.metric.name,
        **({"Dimensions": dimensions} if dimensions else {}),
        "Statistic": alarm.statistic,
        "Period": 60,
        "EvaluationPeriods": alarm.periods,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": alarm.threshold,
        "TreatMissingData": "notBreaching",
        "AlarmActions": alarm.topic,
    }
