"""What a step raised is caught by its class, or by the nearest class above it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from lambda_workflow import App, Context, RetryPolicy, StepFailed, workflow
from lambda_workflow.model.retry import RetryPolicy as Policy
from tests.runtime.conftest import MakeHost


class Model(BaseModel):
    n: int


class Odd(OSError):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Order:
    class NotFound(Exception):
        """Within a class, as Django has them."""


def not_found() -> None:
    raise Order.NotFound("order 7")


def lookup() -> Any:
    return {}["id"]  # type: ignore[index]


def odd() -> None:
    raise Odd(1, 2)


def stops() -> Any:
    return next(iter([]))


CASES: list[tuple[Callable[[], Any], type[BaseException], bool]] = [
    (lookup, KeyError, False),
    (lambda: "".index("x"), ValueError, False),
    (lambda: json.loads("{"), ValueError, True),
    (lambda: b"\xff".decode(), ValueError, True),
    (lambda: Model.model_validate({}), ValueError, True),
    (lambda: json.loads("{"), json.JSONDecodeError, True),
    (lambda: b"\xff".decode(), UnicodeDecodeError, True),
    (odd, OSError, True),
    (odd, Odd, True),
    (not_found, Order.NotFound, False),
    (stops, StepFailed, True),
]


@pytest.mark.parametrize(("work", "kind", "is_stand_in"), CASES)
async def test_a_step_s_error_is_caught_by_its_class(
    make_host: MakeHost, work: Callable[[], Any], kind: type[BaseException], is_stand_in: bool
) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> list[Any]:
        try:
            await ctx.step(work)
        except kind as error:
            key = error.args[0] if type(error) is KeyError else ""
            return [isinstance(error, StepFailed), key]
        return []

    host = make_host(App("tests", workflows=[flow]), check=True)
    await host.start(flow)
    assert host.outcome() == [is_stand_in, "id" if work is lookup else ""]


def test_policies_follow_inheritance_where_the_class_is_known() -> None:
    policy = Policy(attempts=3, retryable=(ConnectionError,))
    assert policy.retries("ConnectionResetError", True, 1)
    assert not policy.retries("ValueError", True, 1)
    assert not policy.retries("elsewhere.ConnectionLost", True, 1)
    assert not Policy(non_retryable=(LookupError,)).retries("KeyError", True, 1)


async def test_a_step_is_retried_for_what_is_below_the_class(make_host: MakeHost) -> None:
    tries: list[int] = []

    def work() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionResetError("reset")
        return len(tries)

    @workflow
    async def flow(ctx: Context, n: int) -> int:
        second = timedelta(seconds=1)
        policy = RetryPolicy(attempts=5, initial=second, retryable=(ConnectionError,))
        return await ctx.step(work, retry=policy)

    host = make_host(App("tests", workflows=[flow]))
    await host.start(flow)
    assert await host.finish() == 3
