"""Least privilege: a function may do what the App needs it for, and nothing with anything else."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lambda_workflow import App
from lambda_workflow.aws.synth.names import (
    BUCKET,
    DEAD,
    DELAY,
    DELAY_DEAD,
    GROUP,
    INBOX,
    RESPONSES,
    TABLE,
)
from lambda_workflow.aws.synth.resources import Role, Stack
from lambda_workflow.aws.synth.values import Because, Param, Ref, Text, UrlOfArn
from tests.synth.apps import (
    EVERYTHING,
    app,
    dry,
    fold,
    functions,
    may,
    owner,
    served,
    stack_of,
    statements,
    wash,
)
from tests.synth.needy.adapter import app as needy

CHOICES: list[dict[str, Any]] = [
    {},
    EVERYTHING,
    {"scheduler": False},
    {"bucket": True},
    {"shared_bucket": True},
    {"deduplicate": True},
    {"kms": True},
]


def roles(stack: Stack) -> list[Role]:
    return [resource for resource in stack.resources if isinstance(resource, Role)]


@pytest.mark.parametrize("given", CHOICES, ids=str)
def test_no_action_and_no_resource_is_a_wildcard(given: dict[str, Any]) -> None:
    for role in roles(stack_of(**given)):
        for statement in role.statements:
            assert statement.actions
            for action in statement.actions:
                assert re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action), (role.id, action)
            for target in statement.targets:
                texts = [p for p in target.parts if isinstance(p, str)] if isinstance(target, Text) else []  # fmt: skip  # noqa: E501
                stars = [text for text in texts if "*" in text]
                # behind a name of the stack's own: what is made at run time
                assert not stars or (stars == [texts[-1]] and texts[-1].endswith("/*")), target
                assert owner(target)


def test_only_what_is_made_at_run_time_has_a_star() -> None:
    starred = {
        (action, owner(target))
        for role in roles(stack_of(**EVERYTHING))
        for statement in role.statements
        for target in statement.targets
        if isinstance(target, Text)
        for action in statement.actions
    }
    assert starred == {
        ("s3:GetObject", BUCKET),
        ("s3:PutObject", BUCKET),
        ("scheduler:CreateSchedule", GROUP),
        ("scheduler:DeleteSchedule", GROUP),
    }


def test_the_workflow_function_has_its_own_queues_and_those_it_calls() -> None:
    stack = stack_of(**EVERYTHING)
    assert may(stack, "workflow-function", "sqs:ReceiveMessage") == {INBOX, DELAY}
    assert may(stack, "workflow-function", "sqs:SendMessage") == {
        INBOX, DEAD, DELAY, RESPONSES, "service-wash-queue", "service-dry-queue",
        "service-iron-queue-arn", "app-accounts-queue-arn", "app-shop-queue-arn",
    }  # fmt: skip


def test_a_service_has_its_own_queue_and_sends_results() -> None:
    stack = stack_of()
    assert may(stack, "service-wash-function", "sqs:ReceiveMessage") == {"service-wash-queue"}
    assert may(stack, "service-wash-function", "sqs:SendMessage") == {
        INBOX,
        "service-wash-dead-letters",
    }


def test_a_service_reads_no_history() -> None:
    for given in ({}, {"deduplicate": True}):
        found = [
            statement
            for statement in statements(stack_of(**given), "service-wash-function")
            if any(isinstance(t, Ref) and t.id == TABLE for t in statement.targets)
        ]
        keys = {s.actions: s.conditions["ForAllValues:StringLike"] for s in found}
        kinds = ["blob:", *(["task:"] if given else [])]
        assert keys == {
            ("dynamodb:GetItem",): {"dynamodb:LeadingKeys": [f"{kind}*" for kind in kinds]},
            ("dynamodb:PutItem",): {
                "dynamodb:LeadingKeys": [f"{kind}service/wash/*" for kind in kinds]
            },
        }


WRITERS = {
    "workflow-function": "",
    "service-wash-function": "service/wash/",
    "service-dry-function": "service/dry/",
}


@pytest.mark.parametrize("given", [{"bucket": True}, {"shared_bucket": True}], ids=str)
def test_only_the_workflow_function_writes_outside_its_own_place(given: dict[str, Any]) -> None:
    stack = stack_of(**given)
    for function, place in WRITERS.items():
        (written,) = (s for s in statements(stack, function) if "s3:PutObject" in s.actions)
        (target,) = written.targets
        assert isinstance(target, Text)
        assert target.parts[-1] == f"/payloads/{place}*"
        lists = [s for s in statements(stack, function) if "s3:ListBucket" in s.actions]
        assert bool(lists) == (place == "")


def test_a_condition_on_all_values_holds_for_no_request_without_one() -> None:
    for given in CHOICES:
        for role in roles(stack_of(**given)):
            for statement in role.statements:
                for operator, keys in statement.conditions.items():
                    if operator.startswith("ForAllValues"):
                        assert statement.conditions["Null"] == dict.fromkeys(keys, "false")


def test_a_service_with_a_bucket_needs_no_table() -> None:
    stack = stack_of(bucket=True)
    assert not may(stack, "service-wash-function", "dynamodb:GetItem")
    assert may(stack, "service-wash-function", "s3:GetObject") == {BUCKET}


def test_removing_a_service_removes_its_rights_queue_and_variable() -> None:
    less = App("laundry", workflows=[fold], adapters=[wash])
    more = App("laundry", workflows=[fold], adapters=[wash, dry])
    before, after = stack_of(more), stack_of(less)
    gone = {r.id for r in before.resources} - {r.id for r in after.resources}
    assert gone
    assert all(id_.startswith("service-dry-") for id_ in gone)
    assert "service-dry" not in repr(after)
    assert may(before, "workflow-function", "sqs:SendMessage") - may(
        after, "workflow-function", "sqs:SendMessage"
    ) == {"service-dry-queue"}


@pytest.mark.parametrize(
    ("option", "actions"),
    [
        ("scheduler", {"scheduler:CreateSchedule", "scheduler:DeleteSchedule", "iam:PassRole"}),
        ("bucket", {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}),
        ("shared_bucket", {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}),
        ("kms", {"kms:Decrypt", "kms:GenerateDataKey"}),
    ],
)
def test_an_option_brings_its_rights_and_takes_them_along(option: str, actions: set[str]) -> None:
    def granted(is_on: bool) -> set[str]:
        found = statements(stack_of(**{option: is_on}), "workflow-function")
        return {action for statement in found for action in statement.actions}

    assert granted(True) - granted(False) == actions
    assert not granted(False) & actions


@pytest.mark.parametrize("given", CHOICES, ids=str)
@pytest.mark.parametrize("chosen", [app, served, needy], ids=lambda app: app.name)
def test_rights_and_variables_name_the_same_things(chosen: App, given: dict[str, Any]) -> None:
    """What a function is not told of it may not touch, and the other way round."""
    stack = stack_of(chosen, **{"callers": ["shop"], **given, "service": {}})
    for function in functions(stack).values():
        told = set()
        for value in function.environment.values():
            match value.value if isinstance(value, Because) else value:
                case Ref(id_, _) | Param(id_):
                    told.add(id_)
                case UrlOfArn(arn):
                    told.add(arn.id)
                case Text(parts):
                    told |= {part.id for part in parts if isinstance(part, Ref)}
                case _:
                    pass
        granted = [s for s in statements(stack, function.id) if not re.match(r"Own\d", s.sid)]
        touched = {owner(target) for statement in granted for target in statement.targets}
        # its own log and queue come with the function; a caller's queue stands in each task;
        # to the dead letters of timers only Scheduler sends
        untold = {function.log, f"{function.id.removesuffix('-function')}-queue",
                  "kms-key-arn", "app-shop-queue-arn", INBOX, DELAY_DEAD,
                  "service-ask-page-url"}  # fmt: skip
        assert touched - untold == told - untold, function.id


def test_scheduler_may_send_for_its_group_to_the_fifo_queue_and_the_dead_letters() -> None:
    (role,) = (r for r in roles(stack_of()) if r.service == "scheduler.amazonaws.com")
    (right,) = role.statements
    assert right.actions == ("sqs:SendMessage",)
    assert right.targets == (Ref(INBOX, "arn"), Ref(DELAY_DEAD, "arn"))
    assert role.trust["StringEquals"]["aws:SourceArn"] == Ref(GROUP, "arn")
