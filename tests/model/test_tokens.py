"""Tokens of callbacks, and whatever else somebody may hand in as one."""

from __future__ import annotations

import pytest

from lambda_workflow.errors import InvalidToken
from lambda_workflow.model.tokens import is_genuine, make_token, read_token

SECRET = "secret"


def test_a_token_names_its_operation_and_is_known_again() -> None:
    token = make_token(SECRET, "order/7", "2~1.3")
    assert read_token(token) == ("order/7", "2~1.3")
    assert is_genuine(token, SECRET, "order/7", "2~1.3")


@pytest.mark.parametrize("other", [("order/8", "1"), ("order/7", "2"), ("order/7", "2~1")])
def test_a_token_is_good_for_nothing_else(other: tuple[str, str]) -> None:
    assert not is_genuine(make_token(SECRET, "order/7", "1"), SECRET, *other)


def test_without_a_secret_no_token_is_genuine() -> None:
    assert not is_genuine(make_token("", "e", "1"), "", "e", "1")


@pytest.mark.parametrize("tail", ["\ud800", "ü", "", "\0", "." * 1000])
def test_a_token_with_another_signature_is_not_genuine_whatever_it_is(tail: str) -> None:
    named = make_token(SECRET, "e", "1").partition(".")[0]
    assert not is_genuine(f"{named}.{tail}", SECRET, "e", "1")


@pytest.mark.parametrize("text", ["", ".", "\ud800", "ü", "ZQ", "a", "====", "x/y"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        read_token(text)


@pytest.mark.parametrize("named", ["x" * 129, "blob:1", "task:e", "a b", "e\n", "ü", "\0"])
def test_a_token_names_nothing_but_an_execution(named: str) -> None:
    with pytest.raises(InvalidToken):
        read_token(make_token(SECRET, named, "1"))
