"""What a stack refuses, and what it encrypts with which key: in both formats."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_workflow.aws.synth.resources import Alarm, Bucket, Queue, Trigger
from lambda_workflow.aws.synth.sam import template
from lambda_workflow.aws.synth.terraform import configuration
from lambda_workflow.aws.synth.values import plain
from tests.synth.apps import EVERYTHING, app, stack_of
from tests.synth.template_text import bare

MESSAGE_BYTES = 1024 * 1024


def sam(**given: Any) -> dict[str, Any]:
    found: dict[str, Any] = bare(template(stack_of(app, **given)))["Resources"]
    return found


def terraform(**given: Any) -> dict[str, Any]:
    found: dict[str, Any] = configuration(stack_of(app, **given), "")["resource"]
    return found


def of_type(resources: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {k: v["Properties"] for k, v in resources.items() if v["Type"] == kind}


def test_every_queue_and_bucket_refuses_requests_without_tls() -> None:
    tree, stack = sam(**EVERYTHING), stack_of(app, **EVERYTHING)
    policies = of_type(tree, "AWS::SQS::QueuePolicy")
    queues = [queue for policy in policies.values() for queue in policy["Queues"]]
    assert len(queues) == len([r for r in stack.resources if isinstance(r, Queue)])
    assert len(set(queues)) == len(queues)  # a queue has one policy: a second replaces the first
    buckets = of_type(tree, "AWS::S3::BucketPolicy")
    assert len(buckets) == len([r for r in stack.resources if isinstance(r, Bucket)]) == 1
    for policy in (*policies.values(), *buckets.values()):
        refused = policy["PolicyDocument"]["Statement"][0]
        assert (refused["Effect"], refused["Principal"]) == ("Deny", "*")
        assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    made = terraform(**EVERYTHING)
    assert len(made["aws_sqs_queue_policy"]) == len(queues)
    for policy in (*made["aws_sqs_queue_policy"].values(), *made["aws_s3_bucket_policy"].values()):
        assert json.loads(policy["policy"])["Statement"][0]["Sid"] == "OnlyTls"


def test_every_queue_takes_what_sqs_takes() -> None:
    sizes = {q["MaximumMessageSize"] for q in of_type(sam(), "AWS::SQS::Queue").values()}
    assert sizes == {MESSAGE_BYTES}
    assert {q["max_message_size"] for q in terraform()["aws_sqs_queue"].values()} == {MESSAGE_BYTES}


def test_a_table_has_a_key_in_kms_only_if_that_is_chosen() -> None:
    assert "SSESpecification" not in sam()["Table"]["Properties"]
    assert "server_side_encryption" not in terraform()["aws_dynamodb_table"]["table"]
    (table,) = of_type(sam(kms=True), "AWS::DynamoDB::Table").values()
    assert table["SSESpecification"]["SSEType"] == "KMS"
    assert table["SSESpecification"]["KMSMasterKeyId"] == ("!", "Ref", "KmsKeyArn")
    (table,) = terraform(kms=True)["aws_dynamodb_table"].values()
    assert table["server_side_encryption"]["kms_key_arn"] == "${var.kms_key_arn}"


@pytest.mark.parametrize("kms", [True, False])
def test_logs_and_variables_are_under_the_key_too(kms: bool) -> None:
    tree, made = sam(kms=kms), terraform(kms=kms)
    for kind, name in (("AWS::Logs::LogGroup", "KmsKeyId"),
                       ("AWS::Serverless::Function", "KmsKeyArn")):  # fmt: skip
        found = of_type(tree, kind)
        assert found
        assert all((name in properties) == kms for properties in found.values())
    for kind, name in (("aws_cloudwatch_log_group", "kms_key_id"),
                       ("aws_lambda_function", "kms_key_arn")):  # fmt: skip
        assert all((name in body) == kms for body in made[kind].values())


@pytest.mark.parametrize("kept", [True, False])
def test_dead_letters_outlive_the_stack_if_that_is_chosen(kept: bool) -> None:
    tree, made = sam(keep_dead_letters=kept), terraform(keep_dead_letters=kept)
    for name, resource in tree.items():
        if resource["Type"] == "AWS::SQS::Queue":
            is_kept = resource.get("DeletionPolicy") == "RetainExceptOnCreate"
            assert is_kept == (kept and "DeadLetters" in name)
    for name, body in made["aws_sqs_queue"].items():
        assert ("lifecycle" in body) == (kept and "dead_letters" in name)


def test_the_mappings_of_a_stack_leave_room_in_a_new_account() -> None:
    """Which may have a concurrency of 10 for all of its functions."""
    triggers = [r for r in stack_of(app).resources if isinstance(r, Trigger)]
    assert len(triggers) == 4
    assert sum(plain(trigger.concurrency) for trigger in triggers) <= 10


def test_alarms_say_in_how_many_minutes() -> None:
    alarms = [r for r in stack_of(app).resources if isinstance(r, Alarm)]
    for found in of_type(sam(), "AWS::CloudWatch::Alarm").values():
        assert 1 <= found["DatapointsToAlarm"] <= found["EvaluationPeriods"]
    assert len(terraform()["aws_cloudwatch_metric_alarm"]) == len(alarms)
    for body in terraform()["aws_cloudwatch_metric_alarm"].values():
        assert 1 <= body["datapoints_to_alarm"] <= body["evaluation_periods"]
