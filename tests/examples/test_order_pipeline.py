"""An order is carried out as a whole, or ends as OrderFailed with nothing left of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from examples.order_pipeline.services import charge
from examples.order_pipeline.workflow import (
    MAIL,
    PICK,
    PUSH,
    RELEASE,
    Confirmation,
    Order,
    Picking,
    Reservation,
    process_order,
)
from lambda_workflow import App, ExecutionFailed, ServiceError, serve
from tests.operations.host_sqlite import SqliteHost

ORDER = Order("A1", "lamp", 2, "4111")


@dataclass
class World:
    """What happened outside."""

    tokens: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    mail_works: bool = True


def app_of(world: World) -> App:
    @serve(PICK)
    async def pick(picking: Picking) -> None:
        world.tokens.append(picking.token)

    @serve(RELEASE)
    async def release(reservation: str) -> None:
        if not world.released:
            world.released.append("busy")
            raise ConnectionError("nobody answers")
        world.released.append(reservation)

    @serve(MAIL)
    async def mail(number: str) -> None:
        if not world.mail_works:
            raise ServiceError("mailbox full", retryable=False)
        world.told.append(f"mail {number}")

    @serve(PUSH)
    async def push(number: str) -> None:
        world.told.append(f"push {number}")

    return App("orders", workflows=[process_order], adapters=[pick, release, charge, mail, push])


async def outcome(folder: Path, world: World, order: Order = ORDER, *, beats: int = 3) -> object:
    """The confirmation or the error; the warehouse beats so often, and answers unless negative."""
    host = SqliteHost(folder)
    async with host(app_of(world)) as client:
        handle = await client.start(process_order, order)
        await host.settle()
        for _ in range(abs(beats) if world.tokens else 0):
            await host.advance(25)
            await client.heartbeat(world.tokens[0], {"shelf": 12})
        if beats > 0 and world.tokens:
            await client.complete_callback(world.tokens[0], Reservation("R7", "12b"))
        try:
            return await host.result(handle)
        except ExecutionFailed as failed:
            return f"{failed.type.rpartition('.')[2]}: {failed.message}"


async def test_an_order_is_carried_out(tmp_path: Path) -> None:
    world = World()
    confirmed = Confirmation("A1", "12b", "receipt-A1", ["mail", "push"])
    assert await outcome(tmp_path, world) == confirmed
    assert sorted(world.told) == ["mail A1", "push A1"]
    assert world.released == []


async def test_a_declined_card_releases_the_reservation(tmp_path: Path) -> None:
    world = World()
    failed = await outcome(tmp_path, world, replace(ORDER, card="0000"))
    assert failed == "OrderFailed: order A1: CardDeclined: the bank says no"
    assert world.released == ["busy", "R7"]
    assert world.told == []


@pytest.mark.parametrize("beats", [0, -3])
async def test_a_silent_warehouse_ends_the_order(tmp_path: Path, beats: int) -> None:
    world = World()
    failed = await outcome(tmp_path, world, beats=beats)
    assert failed == "OrderFailed: order A1: HeartbeatTimedOut: no heartbeat within 30 s"
    assert world.released == []


async def test_an_order_that_makes_no_sense_asks_nobody(tmp_path: Path) -> None:
    world = World()
    failed = await outcome(tmp_path, world, replace(ORDER, quantity=0))
    assert failed == "OrderFailed: order A1: from 1 to 100 of an item"
    assert world.tokens == []


async def test_a_paid_order_does_not_fail_for_want_of_a_mail(tmp_path: Path) -> None:
    world = World(mail_works=False)
    confirmed = await outcome(tmp_path, world)
    assert isinstance(confirmed, Confirmation)
    assert confirmed.told == ["push"]
