"""The wall: every text and number of a message has a limit, and what is over it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_workflow.errors import ConfigurationError, MessageError
from lambda_workflow.model import limits
from lambda_workflow.model import messages as m
from lambda_workflow.model.ids import check_text
from lambda_workflow.model.payload import dumps, loads
from lambda_workflow.model.wire import parse, parse_task, render


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def message(kind: str, **fields: Any) -> str:
    usual: dict[str, Any] = {"type": kind, "execution_id": "e"}
    if kind in ("Update", "Timer", "Heartbeat"):
        usual["task_id"] = "e/1"
    if kind in ("Signal", "UpdateRequest"):
        usual |= {"name": "n", "id": "i"}
    if kind == "Request":
        usual |= {"workflow": "w", "request": 1}
    if kind == "Timer":
        usual["due"] = 1
    return json.dumps(usual | fields)


def owed(**fields: Any) -> dict[str, Any]:
    return {"queue_url": "q", "execution_id": "p", "task_id": "p/1"} | fields


OVER: list[tuple[str, str]] = [
    (message("Request", workflow="w" * 65), "`workflow` has 65 characters, at most 64"),
    (message("Request", attempt=10**18), "`attempt` is out of range"),
    (message("Request", request=nested(201)), "`request` nests more than 200 levels deep"),
    (message("Request", callback=owed(execution_id="a b")), "execution id 'a b' has ' '"),
    (message("Request", callback=owed(execution_id="a" * 129)), "129 characters"),
    (message("Request", callback=owed(queue_url="q" * 1_001)), "`queue_url` has 1,001 characters"),
    (message("Request", callback=owed(task_id="t" * 2_000)), "`task_id` has 2,000 characters"),
    (message("Request", request_ref={"key": "k", "digest": "d", "bytes": 2**70}), "`bytes`"),
    (message("Request", request_ref={"key": "k" * 999, "digest": "d", "bytes": 1}), "`key`"),
    *[
        (message("Request", options=options), told)
        for options, told in [
            ({"timeout_ms": 10**20}, "`timeout_ms` is out of range"),
            ({"timeout_ms": limits.DURATION_MS_MAX + 1}, "`timeout_ms` is out of range"),
            ({"not_before": 10**20}, "`not_before` is out of range"),
            ({"depth": 10**6}, "`depth` is out of range"),
            ({"id": "i" * 2_000}, "`id` has 2,000 characters"),
            ({"secret": "s" * 257}, "`secret` has 257 characters"),
            ({"tags": {str(n): "" for n in range(11)}}, "`options.tags` has 11 tags"),
            ({"tags": {"n" * 65: ""}}, "`options.tags: a name` has 65 characters"),
            ({"tags": {"n": "t" * 129}}, "`options.tags: a text` has 129 characters"),
            ({"memo": "m" * 8_192}, "`options.memo` has 8,194 bytes"),
            ({"memo": nested(201)}, "200 levels"),
        ]
    ],
    (message("Update", payload=nested(201)), "`payload` nests more than 200 levels deep"),
    (message("Update", error={"details": nested(201)}), "200 levels"),
    (message("Update", token="t" * 2_001), "`token` has 2,001 characters"),
    (message("Update", task_id="e/" + "1." * 2_000), "`task_id` has 4,002 characters"),
    (message("Update", attempt=2**63), "`attempt` is out of range"),
    (message("Heartbeat", details=nested(201)), "`details` nests more than 200 levels"),
    (message("Timer", due=10**20), "`due` is out of range"),
    (message("Signal", name="n" * 65), "`name` has 65 characters"),
    (message("Signal", id="i" * 257), "`id` has 257 characters"),
    (message("UpdateRequest", id="i" * 257), "`id` has 257 characters"),
    (message("Cancel", grace_ms=10**20), "`grace_ms` is out of range"),
    (message("Cancel", start="s" * 2_000), "`start` has 2,000 characters"),
    (message("Pause", id="i" * 2_000), "`id` has 2,000 characters"),
    (message("Signal")[:-1] + ', "payload": 1e400}', "a number is larger than a float can be"),
    (message("Signal")[:-1] + ', "payload": -1E+999}', "a number is larger than a float can be"),
    (message("Signal")[:-1] + f', "payload": {"9" * 641}}}', "more than 640 digits"),
    (message("Signal")[:-1] + f', "payload": {"9" * 5_000}}}', "more than 640 digits"),
    (message("Signal", payload=nested(900)), "nests too deeply"),
    (message("K" * 100_000), "`type` is str of 100000"),
]


@pytest.mark.parametrize(("body", "told"), OVER)
def test_what_is_over_its_limit_is_refused_in_few_words(body: str, told: str) -> None:
    with pytest.raises(MessageError) as refused:
        parse(body)
    assert told in str(refused.value)
    assert len(str(refused.value)) < 500


WITHIN: list[str] = [
    message("Request", request=nested(200), options={"memo": nested(200), "tags": {"n": "t"}}),
    message("Update", payload=nested(200)),
    message("Update", error={"type": "T", "message": "m", "details": nested(200)}),
    message("Signal", payload=int("9" * 640)),
    message("Signal", payload=1.7e308),
    message("Request", options={"timeout_ms": limits.DURATION_MS_MAX}, callback=owed()),
    message("Request", options={"id": f"{'e' * 128}/2~3.1"}),
    message("Timer", due=limits.TIME_MS_MAX),
]


@pytest.mark.parametrize("body", WITHIN, ids=lambda body: body[:40])
def test_what_keeps_to_its_limits_is_read_and_written_again(body: str) -> None:
    read = parse(body)
    assert parse(render(read)) == read


@pytest.mark.parametrize("kind", ["Cancel", "Terminate", "Pause"])
def test_a_long_reason_is_cut_and_its_order_is_not_lost(kind: str) -> None:
    read = parse(message(kind, reason="r" * 300_000))
    assert isinstance(read, m.Cancel | m.Terminate | m.Pause)
    assert len(read.reason) < limits.REASON_CHARACTERS_MAX + 40
    assert parse(render(read)) == read


def test_details_of_a_heartbeat_are_cut_as_an_error_s_are() -> None:
    read = parse(message("Heartbeat", details=["d" * 100_000]))
    assert isinstance(read, m.Heartbeat)
    assert len(dumps(read.details)) < limits.ERROR_DETAILS_CHARACTERS_MAX + 200


@pytest.mark.parametrize(
    "fields",
    [
        {"heartbeat_ms": 10**20}, {"attempt": 10**20}, {"not_before": 10**20},
        {"execution_id": "a b"}, {"task_id": "t" * 2_000}, {"payload": nested(201)},
        {"callback_queue_url": "q" * 1_001},
    ],
)  # fmt: skip
def test_a_task_has_the_same_limits(fields: dict[str, Any]) -> None:
    usual = {"execution_id": "e", "task_id": "e/1", "payload": 1}
    parse_task(json.dumps(usual))
    with pytest.raises(MessageError):
        parse_task(json.dumps(usual | fields))


@pytest.mark.parametrize("text", ["x" * 257, "\udcff", 7])
def test_a_caller_s_text_is_refused_where_it_is_given(text: Any) -> None:
    with pytest.raises(ConfigurationError, match="id"):
        check_text("id", text)


def test_depth_is_the_same_for_every_shape() -> None:
    deep: Any = 1
    for level in range(limits.DEPTH_MAX):
        deep = {"k": deep} if level % 2 else [deep]
    assert loads(dumps(deep)) == deep
    with pytest.raises(ValueError, match="200 levels"):
        loads(dumps([[[deep]]]))
