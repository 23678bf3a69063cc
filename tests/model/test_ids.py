"""Ids fit what carries them, and say what is wrong when they do not."""

from __future__ import annotations

import string

import pytest

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.ids import (
    check_execution_id,
    check_name,
    deduplication_id,
    operation_of,
    run_of,
    task_id,
)

# SendMessage: "alphanumeric characters and punctuation", and these are its punctuation.
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


@pytest.mark.parametrize(
    "execution_id",
    [
        "a",
        "x" * 128,
        PUNCTUATION,
        string.ascii_letters + string.digits,
        "a/b:c#1",
        "blob",
        "task-1",
        "a/blob:1",
        "schedule:daily",
    ],
)
def test_an_execution_id_is_what_sqs_takes_as_a_group(execution_id: str) -> None:
    assert check_execution_id(execution_id) == execution_id


@pytest.mark.parametrize(
    ("execution_id", "told"),
    [
        ("", "execution id of 0 characters: it must have 1 to 128"),
        ("x" * 129, "execution id of 129 characters: it must have 1 to 128"),
        ("a b", "execution id 'a b' has ' ': use letters, digits and punctuation, no space"),
        ("a\n", "has '\\n'"),
        ("naïve", "has 'ï'"),
        ("٣", "has '٣'"),
        ("blob:1", "begins with 'blob:', as other items of the table do"),
        ("task:e/1", "choose another beginning, such as 'task-'"),
    ],
)
def test_another_execution_id_is_refused_with_what_is_wrong(execution_id: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_execution_id(execution_id)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", ["a", "x" * 64, "Bank-Transfer_2", "0"])
def test_a_name_is_what_a_queue_name_takes(name: str) -> None:
    assert check_name("service", name) == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a.b", "a/b", "é", "a\n"])
def test_another_name_is_refused_with_its_kind(name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_name("workflow", name)
    assert str(refused.value) == (
        f"workflow name {name!r}: use 1 to 64 letters, digits, '-' and '_'"
    )


@pytest.mark.parametrize("execution_id", ["e", "a/b", "x" * 128, PUNCTUATION])
@pytest.mark.parametrize("operation", ["1", "2.1", "3:timeout", "_.4"])
def test_a_task_id_gives_its_operation_back(execution_id: str, operation: str) -> None:
    assert operation_of(task_id(execution_id, operation)) == operation
    assert operation_of(operation) == operation


def test_a_deduplication_id_is_readable_where_it_fits_and_a_digest_where_not() -> None:
    assert deduplication_id("e", "2.1", 3) == "e:2.1:3"
    for parts in (("x" * 128, "1", 1), ("a b", "1", 1), ("é",)):
        made = deduplication_id(*parts)
        assert len(made) == 64
        assert set(made) <= set(string.hexdigits.lower())
        assert made == deduplication_id(*parts)
    assert deduplication_id("x" * 128, "1", 1) != deduplication_id("x" * 128, "1", 2)


def test_a_deduplication_id_of_full_length_stays_as_it_is() -> None:
    assert deduplication_id("x" * 124, "1", 1) == "x" * 124 + ":1:1"
    assert len(deduplication_id("x" * 125, "1", 1)) == 64


@pytest.mark.parametrize("run", ["²", "٣", "9" * 5000, "", "-1", "1.5"])
def test_what_stands_before_the_mark_and_is_no_number_is_no_run(run: str) -> None:
    assert run_of(f"{run}~1") == 1
