"""The laws of model/references.py."""

from __future__ import annotations

import hashlib

import pytest

from lambda_workflow.errors import MessageError
from lambda_workflow.model import references as r
from lambda_workflow.model.commands import OpenCallback, Opening, StartChild
from lambda_workflow.model.events import BlobRef, Callback
from lambda_workflow.model.messages import (
    Message,
    Request,
    Signal,
    Task,
    Update,
    UpdateRequest,
)
from lambda_workflow.model.payload import dumps, fingerprint

CONTENT = dumps({"x": "y" * 100}).encode()
PLACES = [r.WORKFLOW_PLACE, r.CLIENT_PLACE, r.service_place("charge")]


def earlier_key(execution_id: str, digest: str = fingerprint({"x": "y" * 100})) -> str:
    owner = hashlib.blake2b(execution_id.encode(), digest_size=8).hexdigest()
    return f"{owner}/{digest}"


def ref(key: str) -> BlobRef:
    return BlobRef(key, "0" * 16, len(CONTENT))


OWN = [*(r.key_of(place, "e", CONTENT) for place in PLACES), earlier_key("e")]
FOREIGN = [
    *(r.key_of(place, "other", CONTENT) for place in PLACES),
    earlier_key("other"),
    "e",
    "",
    "../workflow",
    f"nowhere{r.key_of(r.WORKFLOW_PLACE, 'e', CONTENT)}",
    f"{r.key_of(r.WORKFLOW_PLACE, 'e', CONTENT)}\n",
    f"{r.key_of(r.WORKFLOW_PLACE, 'e', CONTENT)}/more",
]


@pytest.mark.parametrize("key", OWN)
def test_a_key_belongs_to_one_execution_and_names_one_content(key: str) -> None:
    assert r.is_owned(key, "e")
    assert not r.is_owned(key, "e2")
    assert r.is_content(key, CONTENT)
    assert not r.is_content(key, CONTENT.replace(b"y", b"z", 1))
    assert not r.is_content(key, b"\xff")


def test_a_record_of_an_earlier_version_is_checked_too() -> None:
    key = earlier_key("e", hashlib.blake2b(CONTENT, digest_size=16).hexdigest())
    assert r.is_owned(key, "e")
    assert r.is_content(key, CONTENT)
    assert not r.is_content(key, CONTENT + b" ")


@pytest.mark.parametrize("key", FOREIGN)
def test_no_other_key_is_owned(key: str) -> None:
    assert not r.is_owned(key, "e")


def messages(key: str) -> list[Message]:
    return [
        Request("e", "flow", ref(key)),
        Signal("e", "go", ref(key), "s"),
        UpdateRequest("e", "ask", ref(key), "u"),
    ]


@pytest.mark.parametrize("key", OWN)
def test_a_message_may_refer_to_what_its_execution_owns(key: str) -> None:
    for message in messages(key):
        r.check_message(message)
    r.check_task(Task("e", "e/1", "charge", ref(key), 1))


@pytest.mark.parametrize("key", FOREIGN)
def test_a_message_that_refers_to_another_executions_payload_is_refused(key: str) -> None:
    given = messages(key)
    if key == earlier_key("other"):  # an earlier version's parent sent that, see below
        given = given[1:]
    for message in given:
        with pytest.raises(MessageError, match="does not belong to that execution"):
            r.check_message(message)
    with pytest.raises(MessageError, match="does not belong to that execution"):
        r.check_task(Task("e", "e/1", "charge", ref(key), 1))


def test_a_parent_of_an_earlier_version_lets_its_child_read_what_it_stored() -> None:
    owed = Callback("q", "parent", "parent/1")
    r.check_message(Request("e", "flow", ref(earlier_key("parent")), owed))
    for key in (earlier_key("other"), r.key_of(r.WORKFLOW_PLACE, "parent", CONTENT)):
        with pytest.raises(MessageError):
            r.check_message(Request("e", "flow", ref(key), owed))


@pytest.mark.parametrize("of", ["e", "child", "other"])
@pytest.mark.parametrize(
    ("opened", "owners"),
    [
        (StartChild("1", "flow", None, "child"), {"e", "child"}),
        (OpenCallback("1", "go"), {"e"}),
        (None, {"e"}),
    ],
)
def test_the_answer_of_a_child_may_refer_to_what_the_child_owns(
    of: str, opened: Opening | None, owners: set[str]
) -> None:
    for key in (r.key_of(r.WORKFLOW_PLACE, of, CONTENT), earlier_key(of)):
        assert r.is_answer_owned(Update("e", "1", ref(key)), opened) == (of in owners)
    assert r.is_answer_owned(Update("e", "1", {"small": 1}), opened)
