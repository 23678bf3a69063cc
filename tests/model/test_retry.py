"""Retry policies: arithmetic that is the same everywhere, and limits that say what they are."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow.errors import ConfigurationError, ServiceError
from lambda_workflow.model.retry import NO_RETRY, RetryPolicy

SECOND = timedelta(seconds=1)
LARGEST_UNIFORM = 1 - 2**-53  # the largest number that random() gives


def delays(policy: RetryPolicy, uniform: float = 0.0) -> list[int]:
    return [policy.delay_ms(attempt, uniform) for attempt in range(1, policy.attempts)]


def test_the_delay_doubles_up_to_the_cap() -> None:
    policy = RetryPolicy(attempts=8, initial=SECOND, cap=30 * SECOND, backoff=2, jitter=0)
    assert delays(policy) == [1000, 2000, 4000, 8000, 16000, 30000, 30000]


def test_a_backoff_of_one_keeps_the_delay() -> None:
    assert delays(RetryPolicy(attempts=4, backoff=1, jitter=0)) == [1000, 1000, 1000]


def test_no_initial_delay_means_never_a_delay() -> None:
    assert delays(RetryPolicy(attempts=1000, initial=timedelta(0))) == [0] * 999


def test_a_fraction_of_backoff_is_multiplied_out() -> None:
    policy = RetryPolicy(attempts=5, backoff=1.5, jitter=0, initial=timedelta(milliseconds=100))
    assert delays(policy) == [100, 150, 225, 338]


@pytest.mark.parametrize(
    ("jitter", "uniform", "expected"),
    [
        (0.0, 0.9, 4000),
        (0.5, 0.0, 4000),
        (0.5, 0.5, 3000),
        (0.5, LARGEST_UNIFORM, 2000),
        (1.0, 0.25, 3000),
        (1.0, LARGEST_UNIFORM, 0),
    ],
)
def test_jitter_leaves_a_share_to_chance(jitter: float, uniform: float, expected: int) -> None:
    assert RetryPolicy(jitter=jitter).delay_ms(3, uniform) == expected


def test_a_delay_stays_within_its_limits_for_every_policy() -> None:
    dice = random.Random(7)
    for _ in range(2000):
        initial = timedelta(milliseconds=dice.randint(0, 10 ** dice.randint(0, 9)))
        policy = RetryPolicy(
            attempts=dice.randint(1, 1000),
            initial=initial,
            cap=initial + timedelta(milliseconds=dice.randint(0, 10 ** dice.randint(0, 9))),
            backoff=dice.choice([1, 1.0001, 1.5, 2, 100]),
            jitter=dice.random(),
        )
        attempt = dice.randint(1, 1000)
        most = policy.delay_ms(attempt, 0.0)
        least = policy.delay_ms(attempt, LARGEST_UNIFORM)
        some = policy.delay_ms(attempt, dice.random())
        assert 0 <= least <= some <= most <= policy.cap / timedelta(milliseconds=1)
        assert most >= policy.delay_ms(max(attempt - 1, 1), 0.0)
        assert least >= int(most * (1 - policy.jitter))


def test_the_greatest_policy_does_not_overflow() -> None:
    year = timedelta(days=365)
    policy = RetryPolicy(attempts=1000, initial=SECOND, cap=year, backoff=100, jitter=0)
    assert policy.delay_ms(1000, 0.0) == 365 * 24 * 3600 * 1000


def test_attempts_count_the_first_one() -> None:
    policy = RetryPolicy(attempts=3)
    assert [policy.retries("Error", True, attempt) for attempt in (1, 2, 3, 4)] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not NO_RETRY.retries("Error", True, 1)


def test_an_error_that_says_so_is_not_retried() -> None:
    assert not RetryPolicy().retries("Error", False, 1)


class CardDeclined(Exception):
    """Named by class and by text."""

    class Nested(Exception):
        """Has a dotted name without a module."""


HERE = CardDeclined.__module__


@pytest.mark.parametrize(
    ("listed", "error_type", "is_final"),
    [
        (CardDeclined, "CardDeclined", True),
        (CardDeclined, f"{HERE}.CardDeclined", True),
        (CardDeclined, "other.CardDeclined", False),
        (CardDeclined, "Declined", False),
        (CardDeclined.Nested, "Nested", True),
        (CardDeclined.Nested, "CardDeclined.Nested", True),
        (CardDeclined.Nested, "CardDeclined", False),
        (ValueError, "ValueError", True),
        (ValueError, "builtins.ValueError", True),
        (ServiceError, "lambda_workflow.errors.ServiceError", True),
        ("CardDeclined", "CardDeclined", True),
        ("CardDeclined", "bank.errors.CardDeclined", True),
        ("bank.errors.CardDeclined", "CardDeclined", True),
        ("bank.errors.CardDeclined", "shop.errors.CardDeclined", False),
        ("CardDeclined", "NotCardDeclined", False),
    ],
)
def test_non_retryable_errors_are_known_by_name(
    listed: type[BaseException] | str, error_type: str, is_final: bool
) -> None:
    policy = RetryPolicy(non_retryable=(KeyError, listed))
    assert policy.retries(error_type, True, 1) is not is_final


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"attempts": 0}, "attempts is 0: it must be a whole number from 1 to 1000"),
        ({"attempts": 1001}, "attempts is 1001"),
        ({"attempts": 2.0}, "attempts is 2.0"),
        ({"attempts": True}, "attempts is True"),
        ({"initial": -SECOND}, "it must be a timedelta from 0 to 365 days"),
        ({"initial": 5}, "initial is 5: it must be a timedelta"),
        ({"initial": timedelta(days=366), "cap": timedelta(days=366)}, "initial is"),
        ({"cap": timedelta(milliseconds=1)}, "it must be a timedelta from 0:00:01 to 365 days"),
        ({"cap": timedelta(days=366)}, "cap is datetime.timedelta(days=366)"),
        ({"backoff": 0.5}, "backoff is 0.5: it must be a number from 1 to 100"),
        ({"backoff": float("nan")}, "backoff is nan"),
        ({"backoff": 101}, "backoff is 101"),
        ({"backoff": "2"}, "backoff is '2'"),
        ({"jitter": -0.1}, "jitter is -0.1: it must be a number from 0 to 1"),
        ({"jitter": 1.1}, "jitter is 1.1"),
        ({"non_retryable": "ValueError"}, "non_retryable is 'ValueError': it must be a tuple of"),
        ({"non_retryable": [ValueError]}, "non_retryable is"),
        ({"non_retryable": (int,)}, "non_retryable is"),
        ({"non_retryable": ("",)}, "non_retryable is"),
    ],
)
def test_what_is_out_of_its_limits_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(**wrong)
    assert message in str(caught.value)
    assert str(caught.value).startswith("RetryPolicy: ")
