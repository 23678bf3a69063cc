"""What a type checker would refuse is refused at the call, in words that say what to write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import (
    ConfigurationError,
    Context,
    RemoteWorkflow,
    RetryPolicy,
    Service,
    Signal,
    Update,
    WorkflowError,
    serve,
    workflow,
)
from lambda_workflow.model.arguments import named
from tests.replay.driving import DOUBLE, drive, flow, result

pytestmark = pytest.mark.usefixtures("shown_values")

ADD = Signal("add", int)
CHANGE = Update("change", int, int)


@serve(DOUBLE)
def double(n: int) -> int:
    return 2 * n


@workflow
async def child(ctx: Context, n: int) -> int:
    return n


async def no(*_: Any) -> bool:
    return True


async def updates(ctx: Any) -> None:
    async for _ in ctx.updates(ADD):
        return


async def two(ctx: Any, item: Any) -> Any:
    return item


async def loner(item: int) -> int:
    return item


async def numbers() -> AsyncIterator[int]:
    yield 1


async def yielding(ctx: Any, n: int) -> AsyncIterator[int]:
    yield n


async def check_by_default(ctx: Any, state: int = 0) -> int:
    return state


async def state_by_default(state: int = 0) -> int:
    return state


async def of_three(a: int, b: int, c: int) -> int:
    return a + b + c


def plain(ctx: Any, n: int) -> int:
    return n


ELSEWHERE = RemoteWorkflow("child", int, int, app="other")
SECOND = timedelta(seconds=1)
NAIVE = datetime(2027, 1, 1, tzinfo=UTC).replace(tzinfo=None)
WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "the name of a service": (lambda ctx: ctx.call("double", 1), "is 'double': give the Service"),
    "an adapter": (lambda ctx: ctx.call(double, 1), "give the Service itself (not its adapter"),
    "a number as a timeout": (
        lambda ctx: ctx.call(DOUBLE, 1, timeout=5),
        "timeout of call of 'double' is 5: give a timedelta, such as timedelta(seconds=5)",
    ),
    "the id of a service's call": (lambda ctx: ctx.call(DOUBLE, 1, id="x"), "has no id=: id= and"),
    "a child with another item's id": (
        lambda ctx: ctx.call(ELSEWHERE, 1, id="blob:1"),
        "execution id 'blob:1' begins with 'blob:'",
    ),
    "a number as a policy": (
        lambda ctx: ctx.call(DOUBLE, 1, retry=3),
        "retry of a call is 3: give a RetryPolicy, such as RetryPolicy(attempts=3)",
    ),
    "sending to a workflow": (lambda ctx: ctx.send(child, 1), "give a Service"),
    "starting a service": (lambda ctx: ctx.start(DOUBLE, 1), "is handed over by ctx.send"),
    "sleeping for a number": (lambda ctx: ctx.sleep(5), "such as timedelta(seconds=5)"),
    "a moment without a zone": (lambda ctx: ctx.sleep(NAIVE), "needs a time zone"),
    "a name as a type": (
        lambda ctx: ctx.callback("approval"),
        "the answer of ctx.callback is 'approval', which is no type: give the type of the answer",
    ),
    "a callback's number": (lambda ctx: ctx.callback(timeout=3), "timeout of a callback is 3"),
    "what a step gives": (lambda ctx: ctx.step(3), "the work of ctx.step is 3: give the function"),
    "a step's policy": (lambda ctx: ctx.step(str, retry=3), "retry of a step is 3"),
    "a block's policy": (lambda ctx: ctx.retry(no, policy=3), "retry of a block is 3"),
    "an update to wait for": (lambda ctx: ctx.wait_signal(CHANGE), "updates are taken by"),
    "a signal to reply to": (updates, "signals are taken by ctx.wait_signal"),
    "an async condition": (lambda ctx: ctx.wait_until(no), "is the async function 'no': give"),
    "a value as a condition": (lambda ctx: ctx.wait_until(True), "is True: give a plain function"),
    "an async end of a poll": (
        lambda ctx: ctx.poll(DOUBLE, 1, until=no, every=SECOND),
        "until is the async function 'no'",
    ),
    "a poll's number": (
        lambda ctx: ctx.poll(DOUBLE, 1, until=bool, every=5),
        "its `every`, is 5: give a timedelta",
    ),
    "undoing by what is under way": (
        lambda ctx: ctx.saga().on_rollback(3),
        "on_rollback: 3 cannot undo",
    ),
    "a type as a callback's name": (
        lambda ctx: ctx.callback(SECOND),
        "which is no type: give the type of the answer, such as ctx.callback(Approval, name=",
    ),
    "a map of a function without ctx": (
        lambda ctx: ctx.map(loner, [1]),
        "'loner' takes (item), and is called with the context and an item: write `async def loner",
    ),
    "a map of a plain function": (
        lambda ctx: ctx.map(plain, [1]),
        "map: the function 'plain' has returned int, which cannot be awaited: write `async def",
    ),
    "a map of a lambda": (
        lambda ctx: ctx.map(lambda ctx, n: n + 1, [1, 2]),
        "map: the function '<lambda>' has returned int, which cannot be awaited",
    ),
    "a map of a generator": (
        lambda ctx: ctx.map(yielding, [1]),
        "the function 'yielding' is an async generator, which has no result",
    ),
    "a map of an adapter": (lambda ctx: ctx.map(double, [1]), "give a Service (not its adapter)"),
    "a map over an async generator": (
        lambda ctx: ctx.map(DOUBLE, numbers()),
        "such as [item async for item in items]",
    ),
    "a map over a number": (lambda ctx: ctx.map(DOUBLE, 3), "items come from is 3: give a list"),
    "a branch of two": (
        lambda ctx: ctx.parallel([two]),
        (
            "parallel: the async function 'two' takes (ctx, item), and is called with the context "
            "alone: write `lambda ctx: ctx.call(SERVICE, payload)`"
        ),
    ),
    "a branch with a default": (
        lambda ctx: ctx.parallel([lambda n=1: ctx.call(DOUBLE, n)]),
        "takes (n=1), and the context would replace the default of 'n'",
    ),
    "a block with a default": (
        lambda ctx: ctx.retry(lambda n=1: ctx.call(DOUBLE, n)),
        "ctx.retry: the function '<lambda>' takes (n=1), and the context would replace",
    ),
    "undoing with a default": (
        lambda ctx: ctx.saga().on_rollback(lambda n=1: ctx.call(DOUBLE, n)),
        "on_rollback: the function '<lambda>' takes (n=1), and the context would replace",
    ),
    "a workflow as a branch": (
        lambda ctx: ctx.parallel({"a": child}, name="p"),
        "is called with the context alone",
    ),
    "a branch that gives nothing": (
        lambda ctx: ctx.parallel({"a": lambda ctx: None}, name="p"),
        "parallel 'p': the function '<lambda>' has returned NoneType, which cannot be awaited",
    ),
    "a branch under way": (
        lambda ctx: ctx.parallel([ctx.call(DOUBLE, 1)]),
        "is no branch; give async",
    ),
    "a policy among the arguments": (
        lambda ctx: ctx.retry(no, RetryPolicy()),
        "write policy=…, such as ctx.retry(block, policy=RetryPolicy(attempts=3))",
    ),
    "a service as a block": (lambda ctx: ctx.retry(DOUBLE, 1), "Service('double') is no block"),
    "a block without its argument": (
        lambda ctx: ctx.retry(two),
        (
            "ctx.retry: the async function 'two' takes (ctx, item), and is called with the context "
            "alone: write `async def two(ctx): …`"
        ),
    ),
    "a block that is not async": (
        lambda ctx: ctx.retry(plain, 1),
        "has returned int, which cannot be awaited: write `async def plain(ctx, argument1): …`",
    ),
    "a check with a default": (
        lambda ctx: ctx.poll(check_by_default, 1, until=bool, every=SECOND),
        "poll: the parameters of the async function 'check_by_default' have defaults",
    ),
    "a state with a default": (
        lambda ctx: ctx.poll(state_by_default, 1, until=bool, every=SECOND),
        "give what it is called with no default",
    ),
    "a check of three": (
        lambda ctx: ctx.poll(of_three, 1, until=bool, every=SECOND),
        "takes 3 arguments, and is called with one or two",
    ),
    "a number as a check": (
        lambda ctx: ctx.poll(3, 1, until=bool, every=SECOND),
        "poll: 3 is no check; give a Service",
    ),
    "a check that gives no awaitable": (
        lambda ctx: ctx.poll(plain, 1, until=bool, every=SECOND),
        "poll: the function 'plain' has returned int",
    ),
    "undoing without ctx": (
        lambda ctx: ctx.saga().on_rollback(loner, 1),
        "on_rollback: the async function 'loner' takes (item), and is called with the context and",
    ),
    "undoing by two payloads": (
        lambda ctx: ctx.saga().on_rollback(DOUBLE, 1, 2),
        "is called with one payload, and 2 are given",
    ),
    "a workflow's attempts": (
        lambda ctx: ctx.call(ELSEWHERE, 1, attempt_timeout=SECOND),
        "call of workflow 'child' has no attempt_timeout=",
    ),
    "a call's unknown option": (
        lambda ctx: ctx.call(DOUBLE, 1, patience=3),
        "call of service 'double' has no patience=",
    ),
    "a change's number": (lambda ctx: ctx.patched(3), "change name is 3: give text"),
}


@pytest.mark.parametrize(("ask", "told"), WRONG.values(), ids=WRONG.keys())
def test_an_argument_of_a_wrong_kind_is_refused(
    ask: Callable[[Any], Awaitable[Any]], told: str
) -> None:
    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(ConfigurationError) as caught:
            await ask(ctx)
        return str(caught.value)

    assert told in result(drive(flow(code)))


def test_what_is_told_of_a_value_is_the_same_in_each_process() -> None:
    coroutine = no()
    assert named(coroutine) == "the coroutine of 'no'"
    coroutine.close()
    assert named(object()) == "<object object>"
    assert named(len) == "the function 'len'"


def test_a_service_refuses_a_number_as_its_policy() -> None:
    wrong: Any = 3
    with pytest.raises(WorkflowError, match="retry of service 'x' is 3: give a RetryPolicy"):
        Service("x", int, int, retry=wrong)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda ctx: ctx.step(len, "a", retries=3), "Context.step() got an unexpected keyword"),
        (lambda ctx: ctx.map(DOUBLE, [1], limits=3), "Context.map() got an unexpected keyword"),
        (lambda ctx: ctx.start(child, 1, timeout=3), "Context.start() got an unexpected keyword"),
        (lambda ctx: ctx.wait_signal(ADD, timeout=3), "Context.wait_signal() got an unexpected"),
        (lambda ctx: ctx.callback(int, token="x"), "Context.callback() got an unexpected keyword"),
    ],
)
def test_an_unknown_keyword_names_the_public_class(ask: Callable[[Any], Any], told: str) -> None:
    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(TypeError) as caught:
            await ask(ctx)
        return str(caught.value)

    assert told in result(drive(flow(code)))
