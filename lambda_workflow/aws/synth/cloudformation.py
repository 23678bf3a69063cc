"""Resources → type and properties, in CloudFormation's words; references stand as they are."""

from __future__ import annotations

import json
from typing import Any, Final

from lambda_workflow.aws.sqs import BATCH_BYTES_MAX as MESSAGE_BYTES_MAX
from lambda_workflow.aws.synth import resources as r
from lambda_workflow.aws.synth.dashboards import dashboard
from lambda_workflow.aws.synth.names import EXPIRY
from lambda_workflow.aws.synth.policies import assume, bucket_policy, policy, queue_policy
from lambda_workflow.aws.synth.values import Because, Json, Ref

Extras = dict[str, Any]
_KEPT: Final = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}


def shape(resource: r.Resource) -> tuple[str, dict[str, Any], Extras]:
    """Type, properties, and what stands beside them."""
    match resource:
        case r.Queue():
            return "AWS::SQS::Queue", _queue(resource), _KEPT if resource.kept else {}
        case r.Table():
            return "AWS::DynamoDB::Table", _table(resource), _KEPT
        case r.Bucket():
            return "AWS::S3::Bucket", _bucket(resource), _KEPT
        case r.ScheduleGroup(name=name):
            return "AWS::Scheduler::ScheduleGroup", {"Name": name}, {}
        case r.Role():
            return "AWS::IAM::Role", _role(resource), {}
        case r.Policy():
            return "AWS::IAM::ManagedPolicy", _policy(resource), {}
        case r.LogGroup():
            return "AWS::Logs::LogGroup", _log_group(resource), {}
        case r.Function():
            return "AWS::Serverless::Function", _function(resource), {}
        case r.Trigger():
            return "AWS::Lambda::EventSourceMapping", _trigger(resource), {}
        case r.FunctionUrl():
            return "AWS::Lambda::Url", _url(resource), {}
        case r.Permission():
            return "AWS::Lambda::Permission", _permission(resource), {}
        case r.Rule():
            return "AWS::Events::Rule", _rule(resource), {}
        case r.QueuePolicy():
            return "AWS::SQS::QueuePolicy", _queue_policy(resource), {}
        case r.BucketPolicy():
            return "AWS::S3::BucketPolicy", _bucket_policy(resource), {}
        case r.Schedules():
            return "Custom::Schedules", _schedules(resource), {}
        case r.LogCount():
            return "AWS::Logs::MetricFilter", _count(resource), {}
        case r.Alarm():
            return "AWS::CloudWatch::Alarm", _alarm(resource), {}
        case r.Dashboard(name=name):
            body = Json(dashboard(resource))
            return "AWS::CloudWatch::Dashboard", {"DashboardName": name, "DashboardBody": body}, {}


def _queue(queue: r.Queue) -> dict[str, Any]:
    found: dict[str, Any] = {"QueueName": queue.name}
    if queue.fifo:
        found["FifoQueue"] = True
        found["ContentBasedDeduplication"] = DEDUPLICATED
        found["DeduplicationScope"] = HIGH_THROUGHPUT
        found["FifoThroughputLimit"] = "perMessageGroupId"
    if queue.visibility_seconds:
        found["VisibilityTimeout"] = queue.visibility_seconds
    found["MaximumMessageSize"] = MESSAGE_BYTES
    found["MessageRetentionPeriod"] = queue.retention_seconds
    if queue.receives:
        found["RedrivePolicy"] = {
            "deadLetterTargetArn": Ref(queue.dead_letters, "arn"),
            "maxReceiveCount": queue.receives,
        }
    return found | ({"KmsMasterKeyId": queue.kms_key} if queue.kms_key
                    else {"SqsManagedSseEnabled": True})  # fmt: skip


PATIENCE: Final = Because(120, "Seconds for the function's answer; without it CloudFormation waits "
                               "an hour.")  # fmt: skip
MESSAGE_BYTES: Final = Because(
    MESSAGE_BYTES_MAX, "SQS's largest; queues made before 2025-08 have 256 KB."
)
DEDUPLICATED: Final = Because(True, "Scheduler's messages need it; all others have explicit ids.")
BUCKET_KEY: Final = Because(True, "KMS is asked for the bucket, not for each object.")
HIGH_THROUGHPUT: Final = Because("messageGroup", "High-throughput mode: limits count per group.")


def _policy(made: r.Policy) -> dict[str, Any]:
    return {"Description": made.why, "PolicyDocument": policy(made.statements)}


def _url(url: r.FunctionUrl) -> dict[str, Any]:
    return {"TargetFunctionArn": Ref(url.function, "arn"), "AuthType": "NONE"}


def _log_group(log: r.LogGroup) -> dict[str, Any]:
    key = {"KmsKeyId": log.kms_key} if log.kms_key else {}
    return {"LogGroupName": log.name, "RetentionInDays": log.days, **key}


def _bucket_policy(made: r.BucketPolicy) -> dict[str, Any]:
    return {"Bucket": Ref(made.bucket, "name"), "PolicyDocument": bucket_policy(made)}


def _queue_policy(made: r.QueuePolicy) -> dict[str, Any]:
    return {"Queues": [Ref(made.queue, "url")], "PolicyDocument": queue_policy(made)}


def _schedules(schedules: r.Schedules) -> dict[str, Any]:
    token = Ref(schedules.function, "arn")
    return {"ServiceToken": token, "ServiceTimeout": PATIENCE, "Digests": schedules.digests}


def _table(table: r.Table) -> dict[str, Any]:
    key = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": table.kms_key}
    return {
        "TableName": table.name,
        **table.definition,
        "TimeToLiveSpecification": {"AttributeName": EXPIRY, "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": table.recovery},
        # without it DynamoDB encrypts with a key of its own, whose requests cost nothing
        **({"SSESpecification": key} if table.kms_key else {}),
        "DeletionProtectionEnabled": table.protected,
    }


def _bucket(bucket: r.Bucket) -> dict[str, Any]:
    encryption: dict[str, Any] = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    if bucket.kms_key:
        algorithm = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": bucket.kms_key}
        encryption = {"ServerSideEncryptionByDefault": algorithm, "BucketKeyEnabled": BUCKET_KEY}
    rule = {"Id": "expiry", "Status": "Enabled", "ExpirationInDays": bucket.expiry_days}
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


def _role(role: r.Role) -> dict[str, Any]:
    own = {"PolicyName": "own", "PolicyDocument": policy(role.statements)}
    return {"AssumeRolePolicyDocument": assume(role), "Policies": [own]}


def _function(function: r.Function) -> dict[str, Any]:
    reserved = {"ReservedConcurrentExecutions": function.reserved} if function.reserved else {}
    return {
        "FunctionName": function.name,
        "CodeUri": function.code,
        "Handler": function.handler,
        "Runtime": f"python{function.python}",
        "Architectures": ["arm64"],
        "MemorySize": function.memory_mb,
        "Timeout": function.timeout_seconds,
        **reserved,
        "Role": Ref(function.role, "arn"),
        "RecursiveLoop": LOOP,
        "LoggingConfig": {
            "LogGroup": Ref(function.log, "name"),
            "LogFormat": "JSON",
            "ApplicationLogLevel": LEVEL,
            "SystemLogLevel": "WARN",
        },
        **({"KmsKeyArn": function.kms_key} if function.kms_key else {}),
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


def _permission(permission: r.Permission) -> dict[str, Any]:
    by_url = (
        {"InvokedViaFunctionUrl": True} if permission.direct else {"FunctionUrlAuthType": "NONE"}
    )
    return {
        "FunctionName": Ref(permission.function, "arn"),
        "Action": "lambda:InvokeFunction" if permission.direct else "lambda:InvokeFunctionUrl",
        "Principal": "*",
        **by_url,
    }


def _rule(rule: r.Rule) -> dict[str, Any]:
    target = {
        "Id": "queue",
        "Arn": Ref(rule.queue, "arn"),
        "DeadLetterConfig": {"Arn": Ref(rule.dead_letters, "arn")},
    }
    return {
        "Name": rule.name,
        "EventBusName": rule.bus,
        "EventPattern": (
            json.loads(rule.pattern) if isinstance(rule.pattern, str) else rule.pattern
        ),
        "Targets": [target],
    }


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
        "DatapointsToAlarm": alarm.breaching,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": alarm.threshold,
        "TreatMissingData": "notBreaching",
        "AlarmActions": alarm.topic,
    }
