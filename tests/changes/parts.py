"""What the changes are made of: contracts, steps, and how a change is written down."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel

from lambda_workflow import App, Context, Service, Workflow, workflow
from lambda_workflow.model.messages import Message, Signal, UpdateRequest

Code = Callable[[Context, str], Coroutine[Any, Any, Any]]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HOURS: Final = 48 * HOUR


class Item(BaseModel):
    item: str


class PricedItem(BaseModel):
    item: str
    currency: str = "EUR"


class WeighedItem(BaseModel):
    item: str
    grams: int


RESERVE: Service[str, str] = Service("reserve", str, str)
CHARGE: Service[str, str] = Service("charge", str, str)
SHIP: Service[str, str] = Service("ship", str, str)
ORDER: Service[Item, str] = Service("order", Item, str)
PRICED_ORDER: Service[PricedItem, str] = Service("order", PricedItem, str)
WEIGHED_ORDER: Service[WeighedItem, str] = Service("order", WeighedItem, str)
UNLISTED: Service[str, str] = Service("unlisted", str, str)
SERVICES: Final = (RESERVE, CHARGE, SHIP, ORDER)


def limited(**options: Any) -> Service[str, str]:
    """CHARGE under another contract."""
    return Service("charge", str, str, **options)


@workflow(name="child")
async def child(ctx: Context, item: str) -> str:
    return item


@workflow(name="other_child")
async def other_child(ctx: Context, item: str) -> str:
    return item


def price(item: str) -> str:
    return f"price of {item}"


def stock(item: str) -> str:
    return f"stock of {item}"


def price_of(kept: BaseModel) -> str:
    return "price"


@dataclass(frozen=True)
class Change:
    """A change of code.

    Attributes:
        row: the first cell of the page's row that says what becomes of it.
        services: contracts, of today's code, other than SERVICES.
        outside: what comes from outside, in this order.
        rolls: whether workers of both codes may take turns; old ones do not know a patch, nor what
            new ones have added.
    """

    row: str
    before: Code
    after: Code
    old_services: tuple[Service[Any, Any], ...] = ()
    services: tuple[Service[Any, Any], ...] = ()
    outside: tuple[Message, ...] = ()
    rolls: bool = True

    @property
    def id(self) -> str:
        """Its name in the tests."""
        return f"{self.before.__name__}-{self.after.__name__}"

    def old(self) -> App:
        """What runs first."""
        return _app(made(self.before), services=self.old_services)

    def new(self) -> App:
        """What is deployed then."""
        return _app(made(self.after), services=self.services)

    def fixed(self) -> App:
        """The change made as it should be: as another version beside the old.

        Where it is a contract that has changed, the code of the old contract is put back.
        """
        if self.services:
            return self.old()
        both = made(self.before), made(self.after, "2")
        return _app(*both, services=(*self.services, UNLISTED))


def made(code: Code, version: str = "") -> Workflow[Any, Any]:
    """A workflow of the code."""
    return workflow(name="flow", version=version)(code)


def _app(*codes: Workflow[Any, Any], services: tuple[Service[Any, Any], ...]) -> App:
    others = {service.name for service in services}
    kept = [service for service in SERVICES if service.name not in others]
    return App("shop", workflows=[*codes, child, other_child], services=[*kept, *services])


def signalled(name: str, value: str) -> Message:
    """A signal."""
    return Signal("e", name, value, f"{name}-{value}")


def asked(name: str, value: str) -> Message:
    """An update."""
    return UpdateRequest("e", name, value, f"{name}-{value}")
