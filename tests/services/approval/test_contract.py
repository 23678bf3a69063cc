"""What cannot be asked is refused where the question is written, in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from lambda_workflow_services.approval import Choice, Question


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"title": 1}, "title must be a str, and is int"),
        ({"title": "\u200b"}, "title must have 1 to 200"),
        ({"token": None}, "token must be a str, and is NoneType"),
        ({"token": ""}, "pass that of a callback"),
        ({"text": b"x"}, "text must be a str, and is bytes"),
        ({"facts": [("Amount", "120")]}, "facts must be a dict, .*, and are list"),
        ({"facts": {"Amount": 120}}, "fact 'Amount': .* are str and int: .*120 EUR"),
        ({"facts": {1: "120"}}, "fact '1': .* are int and str"),
        ({"choices": ("a",)}, r'must be a tuple of Choice: \(Choice\("yes", "Yes"'),
        ({"choices": [Choice("a", "A")]}, "must be a tuple of Choice"),
        ({"expires": timedelta(days=3)}, "`expires` must be a datetime, and is timedelta"),
        ({"language": "xx"}, "language must be one of de, en, es, fr"),
    ],
)
def test_a_field_of_another_type_is_told_what_to_give(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Question(**{"title": "Books?", "token": "t", **fields})


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong: dict[str, Any] = {"title": 1, "token": "", "facts": {"Amount": 120}, "choices": ("a",)}
    with pytest.raises(ValueError, match="cannot be asked") as refused:
        Question(**wrong)
    assert [name for name in wrong if name.removesuffix("s") not in str(refused.value)] == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"value": 1}, "choice 1: its value must be 1 to 64 letters"),
        ({"label": None}, "label must have 1 to 60 characters"),
        ({"approves": "yes"}, "approves must be True or False, and is str"),
    ],
)
def test_a_choice_of_other_types_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Choice(**{"value": "a", "label": "A", **fields})
