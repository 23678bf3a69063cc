"""JSON text: written compactly, read strictly, compared canonically."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_workflow.model.payload import canonical, dumps, fingerprint, loads, same_json

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, -0.0, 0.0, "", "1", "é", "\u2028", [], {}, [1], [True], [1.0],
    {"a": 1}, {"a": True}, {"b": 1}, {"a": 1, "b": [2, {"c": None}]}, {"a": {"b": {}}}, [[], {}],
    [None], 10**300, 1e300, {"": ""}, ["a", "b"], ["b", "a"],
]  # fmt: skip


def test_text_is_compact_and_keeps_the_order_of_keys() -> None:
    assert dumps({"b": [1, 2.5, None, True], "a": "é"}) == '{"b":[1,2.5,null,true],"a":"é"}'


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_written_is_read(value: Any) -> None:
    for text in (dumps(value), dumps(value).encode(), canonical(value), json.dumps(value)):
        assert same_json(loads(text), value)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), [-float("inf")]])
def test_what_is_no_json_is_never_written(bad: Any) -> None:
    for write in (dumps, canonical, fingerprint):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write(bad)
    with pytest.raises(TypeError):
        dumps({1})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "{'a': 1}",
        "1 2",
        '"\\ud800"',
        '{"\\uD800": 1}',
        b"\xff",
        "[" * 200_000,
        "9" * 5000,
    ],
    ids=lambda text: repr(text[:9]),
)
def test_what_is_no_json_is_not_read(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of many kinds
        loads(text)


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert loads('"\\ud83d\\ude00"') == "😀"


def test_all_text_is_of_characters_that_a_queue_takes() -> None:
    value = {"\ufffe": "\uffff\ufffd\x00\x7f\u2028😀\\uffff"}
    text = dumps(value)
    assert not [sign for sign in text if sign < " " or sign in "\ufffe\uffff"]
    assert loads(text) == value


def test_canonical_text_sorts_keys_at_every_level() -> None:
    assert canonical({"b": {"d": 1, "c": 2}, "a": [{"z": 1, "y": 2}]}) == (
        '{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}'
    )


def test_same_json_is_equality_of_canonical_texts() -> None:
    for a in VALUES:
        for b in VALUES:
            assert same_json(a, b) is (canonical(a) == canonical(b)), (a, b)
            assert (fingerprint(a) == fingerprint(b)) is (canonical(a) == canonical(b)), (a, b)


def test_fingerprints_stay_what_they_are() -> None:
    """Histories keep them: a change here would make every old one look diverged."""
    assert fingerprint({"b": 1, "a": [1.5, None, "é"]}) == "69252572f0b8a9ff"
    assert fingerprint(None) == "7376b2cbfa0ad26e"
