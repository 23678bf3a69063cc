"""What a step raised is caught by its class, or by the nearest class above it."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from lambda_workflow import App, Context, RetryPolicy, StepFailed, workflow
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.exception_args import args_from, args_of
from lambda_workflow.model.retry import RetryPolicy as Policy
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.replayer import replay
from lambda_workflow.runtime.lent import tools_for
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
    (lambda: json.loads("{"), json.JSONDecodeError, False),
    (lambda: b"\xff".decode(), ValueError, True),
    (lambda: Model.model_validate({}), ValueError, True),
    (lambda: b"\xff".decode(), UnicodeDecodeError, True),
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


class Declined(Exception):
    """Has several arguments, and says them its own way."""

    def __init__(self, code: int, reason: str = "", *, by: str = "bank") -> None:
        super().__init__(code, reason)
        self.code, self.reason, self.by = code, reason, by

    def __str__(self) -> str:
        return f"{self.reason} ({self.code})"


class Reduced(Exception):
    """Says itself what it is made again with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason

    def __reduce__(self) -> Any:
        return Reduced, (self.code, self.reason)


class Hostile(Exception):
    def __reduce__(self) -> Any:
        raise SystemExit


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
EQUAL = [
    KeyError(("a", 1)),
    KeyError("it's"),
    KeyError(1, 2),
    KeyError(Path("a")),
    OSError(2, "No such file", "x"),
    OSError(errno.EEXIST, "File exists", "x", None, "y"),
    OSError(errno.ENOENT, "No such file", Path("x")),
    OSError(99_999, "of no class"),
    ValueError(),
    ValueError(7),
    ValueError("a", [1, {"b": (None, 2.5)}]),
    Declined(4, "no funds"),
    Reduced(4, "no funds"),
]


@pytest.mark.parametrize("error", EQUAL, ids=repr)
async def test_it_is_made_again_of_its_arguments(make_host: MakeHost, error: Exception) -> None:
    caught: list[Exception] = []

    def work() -> None:
        raise error

    @workflow
    async def flow(ctx: Context, n: int) -> None:
        try:
            await ctx.step(work)
        except Exception as found:  # noqa: BLE001  # any
            caught.append(found)

    host = make_host(App("tests", workflows=[flow]), check=True)
    await host.start(flow)
    found = caught[-1]
    assert type(found) is type(error)
    assert (str(found), found.args) == (str(error), error.args)
    kept = {k: v for k, v in found.__dict__.items() if not k.startswith("_lambda")}
    assert kept == error.__dict__
    if isinstance(error, OSError):
        assert isinstance(found, OSError)
        assert (found.errno, found.filename, found.filename2) == (
            error.errno, error.filename, error.filename2,
        )  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [
        ValueError("one message says it"),
        ValueError("x" * 3_000, 1),  # too long
        ValueError({1: 2}),
        ValueError({"$tuple": 1}),
        ValueError(float("nan")),
        ValueError("half \ud800", 1),
        ValueError(1 << 5_000),
        ValueError(CYCLE),
        UnicodeDecodeError("ascii", b"x", 0, 1, "no"),
        Hostile("x", 1),
        ExceptionGroup("two", [ValueError(1), ValueError(2)]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_has_no_form_is_not_kept(error: Exception) -> None:
    assert args_of(error) is None


@pytest.mark.parametrize("form", [None, 5, "x", {"a": 1}, [{"$tuple": 5}], [{"$path": 5}]])
def test_what_is_no_form_is_not_read(form: Any) -> None:
    assert args_from(form) is None


@pytest.mark.parametrize(
    "kind", ["StopIteration", "StopAsyncIteration", "GeneratorExit", "KeyboardInterrupt"]
)
@pytest.mark.parametrize("semantics", [1, 2])
def test_what_no_future_carries_is_never_made(kind: str, semantics: int) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> str:
        try:
            await ctx.step(lookup)
        except StepFailed as error:
            return error.type
        return ""

    failure = e.Failure(kind, "x", args=["x", 1])
    turns = [Turn(1, 0, (e.Started(0, "flow", 1, semantics),), (c.RunStep("1", "lookup"),))]
    facts = [e.StepErrored(0, "1", 1, failure)]
    made = replay(flow, "e", turns, tools_for(App("tests", workflows=[flow])), events=facts)
    assert made.outcome == c.Complete(kind)


@pytest.mark.parametrize("semantics", [1, 2])
def test_a_record_without_arguments_is_read_as_before(semantics: int) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> list[str]:
        try:
            await ctx.step(lookup)
        except Exception as error:  # noqa: BLE001  # any
            return [type(error).__name__, str(error)]
        return []

    turns = [Turn(1, 0, (e.Started(0, "flow", 1, semantics),), (c.RunStep("1", "lookup"),))]
    facts = [e.StepErrored(0, "1", 1, e.Failure("KeyError", "'id'"))]
    made = replay(flow, "e", turns, tools_for(App("tests", workflows=[flow])), events=facts)
    assert isinstance(made.outcome, c.Complete)
    is_old = semantics == 1
    said = "step 'lookup' (operation 1) failed with KeyError: 'id'" if is_old else "'id'"
    assert made.outcome.payload == ["StepFailed" if is_old else "KeyError", said]
