"""What is declared or started in a wrong way is refused there, in words that say what to write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import pytest

from lambda_workflow import (
    App,
    Client,
    ConfigurationError,
    Context,
    RemoteWorkflow,
    Schedule,
    Service,
    Signal,
    Task,
    Update,
    serve,
    workflow,
)
from lambda_workflow.aws.handlers import lambda_handler, service_handler
from lambda_workflow.local import Engine
from lambda_workflow.testing import Simulation, assert_replays, explore, simulate
from lambda_workflow.testing.memory import memory_backend

pytestmark = pytest.mark.usefixtures("shown_values")


@dataclass
class Order:
    item: str


@dataclass
class Gift(Order):
    wrapped: bool


@dataclass
class Score:
    points: int


SCORE = Service("score", Order, Score)
NUMBER = Service("number", int, float)
LISTS: Service[list[int], list[str] | None] = Service("lists", list[int], list[str] | None)
HOUR = timedelta(hours=1)


@workflow
async def flow(ctx: Context, n: int) -> int:
    return n


async def undecorated(ctx: Context, n: int) -> int:
    return n


async def takes_another(order: Score) -> Score:
    return order


async def returns_another(order: Order) -> int:
    return 1


def returns_nothing(order: Order) -> None:
    return None


def takes_no_task(order: Order, other: Score) -> Score:
    return other


def takes_texts(items: list[str]) -> list[str]:
    return items


async def yields(order: Order) -> AsyncIterator[Score]:
    yield Score(1)


def of_due_time(due: datetime) -> int:
    return due.day


async def async_of_due_time(due: datetime) -> int:
    return due.day


untyped: Any = serve
any_of: dict[str, Any] = {"service": Service, "signal": Signal, "update": Update}
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "@serve, a parameter": (
        lambda: untyped(SCORE)(takes_another),
        (
            "adapter 'takes_another' of service 'score' takes Score, and the service's request is "
            "Order: write `order: Order`"
        ),
    ),
    "@serve, a result": (
        lambda: untyped(SCORE)(returns_another),
        "returns int, and the service's response is Score: write `-> Score`",
    ),
    "@serve, no result": (lambda: untyped(SCORE)(returns_nothing), "returns None, and the service"),
    "@serve, no Task": (
        lambda: untyped(SCORE)(takes_no_task),
        "which is the Task: write `other: T",
    ),
    "@serve, items": (lambda: untyped(LISTS)(takes_texts), "takes list[str], and the service's"),
    "@serve, a generator": (lambda: untyped(SCORE)(yields), "is no adapter of service 'score'"),
    "@serve, no service": (lambda: untyped(takes_another), "a Service, as in @serve(FRAUD)"),
    "@serve, a number": (lambda: untyped(SCORE)(3), "@serve: 3 is no adapter"),
    "@workflow, a name": (lambda: untyped_workflow("name"), "its name is given by name=, as in @w"),
    "@workflow, not async": (lambda: untyped_workflow(of_due_time), "is no `async def` function"),
    "a workflow's query": (lambda: untyped_query(undecorated), "must be a plain function of"),
    "simulate": (lambda: untyped_simulate(undecorated, 1), "a workflow, which `@workflow` makes"),
    "Simulation": (lambda: Simulation(anything(undecorated), 1), "which `@workflow` makes of"),
    "explore": (lambda: explore(anything(undecorated), 1), "which `@workflow` makes of an"),
    "assert_replays": (lambda: assert_replays(anything(undecorated), __file__), "give the App, or"),
    "Engine": (lambda: Engine(anything(flow)), "what Engine runs is Workflow('flow'): give an App"),
    "Engine, also": (lambda: Engine(app(), also=[anything("other")]), "give an App, as in app ="),
    "lambda_handler": (
        lambda: lambda_handler(anything(flow)),
        "what lambda_handler serves is Work",
    ),
    "service_handler": (lambda: service_handler(anything(of_due_time)), "adapter, made by @serve"),
    "Schedule, a function": (
        lambda: Schedule("s", anything(undecorated), 1, every=HOUR),
        "what schedule 's' starts is the async function 'undecorated': give a workflow of the App",
    ),
    "Schedule, a service": (lambda: Schedule("s", anything(SCORE), 1, every=HOUR), "give a workf"),
    "Schedule, async": (
        lambda: Schedule("s", flow, anything(async_of_due_time), every=HOUR),
        "request of schedule 's' is the async function 'async_of_due_time': give the request",
    ),
    "App, a schedule": (lambda: App("a", schedules=[anything("nightly")]), "give Schedules"),
    "App, one schedule": (lambda: App("a", schedules=anything(flow)), "a list of Schedules"),
    "App, a function": (lambda: App("a", workflows=[anything(undecorated)]), "made by `@workflow`"),
    "Service, a name": (
        lambda: Service("x", "Order", int),
        "request type of service 'x' is 'Order', which is no type: give the type itself",
    ),
    "Service, a value": (lambda: Service("x", int, [int]), "response type of service 'x'"),
    "Signal, a name": (lambda: Signal("x", "Order"), "type of signal 'x' is 'Order'"),
    "Update, a value": (lambda: Update("x", int, 3), "response type of update 'x' is 3, which"),
    "RemoteWorkflow": (lambda: RemoteWorkflow("x", int, "int", app="a"), "result type of workfl"),
}


def anything(value: object) -> Any:
    return value


def app() -> App:
    return App("a", workflows=[flow])


def untyped_workflow(value: object) -> object:
    return workflow(anything(value))


def untyped_query(value: object) -> object:
    return flow.query(anything(value))


def untyped_simulate(value: object, request: object) -> object:
    return simulate(anything(value), request)


@pytest.mark.parametrize(("use", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_use_is_refused_where_it_stands(use: Callable[[], object], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        use()
    assert told in str(caught.value)


async def wider(order: object) -> Score:
    return Score(1)


async def narrower(order: Order, task: Task) -> Gift:
    return Gift("tea", wrapped=True)


async def unannotated(order, task):  # type: ignore[no-untyped-def]  # as many write it
    return None


def optional(n: int | None) -> int:
    return n or 0


def literal(n: float) -> Literal[1, 2]:
    return 1


def note(n: Annotated[int, "cents"]) -> Any:
    return n


def coroutine_of(n: int) -> Awaitable[float]:
    raise NotImplementedError


def sequences(items: Sequence[int]) -> list[str]:
    return []


ORDERS = Service("orders", Gift, Order)


async def upwards(order: Order) -> Gift:
    return Gift(order.item, wrapped=False)


FITTING: list[tuple[Service[Any, Any], Callable[..., Any]]] = [
    (SCORE, wider),
    (ORDERS, narrower),
    (ORDERS, upwards),
    (SCORE, unannotated),
    (NUMBER, optional),
    (NUMBER, literal),
    (NUMBER, note),
    (NUMBER, coroutine_of),
    (LISTS, sequences),
    (SCORE, lambda order: Score(1)),
]


@pytest.mark.parametrize(("service", "function"), FITTING)
def test_what_a_type_checker_takes_is_taken(
    service: Service[Any, Any], function: Callable[..., Any]
) -> None:
    assert serve(service)(function).function is function


async def test_a_keyword_that_the_client_lacks_names_the_client() -> None:
    client = Client(app(), memory_backend().backend)
    with pytest.raises(TypeError, match=r"Client\.start\(\) got an unexpected keyword argument"):
        await anything(client).start(flow, 1, id="x")
