"""An event and a wait at the same time: no order of the steps of the two loses the match."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from itertools import combinations
from typing import Any

from lambda_workflow_services.eventbridge import WAIT, Wait
from lambda_workflow_services.eventbridge.adapter import arrive, wait

from lambda_workflow import Later
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.present import PRESENT
from tests.services.eventbridge.conftest import Bench, event

WAITS, TELLS = 3, 2  # calls until a side has looked for the other one: the rest changes nothing


class Stepped(Aws):
    """AWS for one side, a call at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Semaphore(0)
        self.done = asyncio.Event()

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        await self.may.acquire()
        try:
            return await super().call(service, operation, **params)
        finally:
            self.done.set()


class Side:
    """One of the two, at work by steps; its outcome is a result, or Later."""

    def __init__(self, aws: Stepped, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.aws = aws
        self.aws.may = asyncio.Semaphore(0)
        self.doing = asyncio.create_task(self._run(work))

    async def _run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        PRESENT.set(self.aws)
        try:
            return await work()
        except Later:
            return None

    async def step(self) -> None:
        """Let it make its next call, if it makes one."""
        self.aws.done.clear()
        self.aws.may.release()
        called = asyncio.create_task(self.aws.done.wait())
        await asyncio.wait({called, self.doing}, return_when=asyncio.FIRST_COMPLETED)
        called.cancel()

    async def finish(self) -> Any:
        """Let it go to its end."""
        while not self.doing.done():
            await self.step()
        return await self.doing


def orders() -> Iterator[str]:
    """All ways to put the steps of the two into a row; a capital letter goes on alone after it."""
    for places in combinations(range(WAITS + TELLS), TELLS):
        row = "".join("e" if n in places else "w" for n in range(WAITS + TELLS))
        yield from (row + "W", row + "E")


async def found_in(
    bench: Bench, clients: tuple[Stepped, Stepped], number: int, order: str
) -> set[str]:
    """The events that a wait has got, from its own look and by answers, in an order of steps."""
    wanted = Wait(source="shop", detail_type="Paid", match={"order": number})
    task, came = bench.task(number, wanted), event(number, id_=order)
    sides = {
        "w": Side(clients[0], lambda: wait(wanted, task)),
        "e": Side(clients[1], lambda: arrive(came)),
    }
    for letter in order[:-1]:
        await sides[letter].step()
    await sides[order[-1].lower()].finish()
    returned, _ = [await side.finish() for side in sides.values()]
    updates = await bench.results()
    answers = [WAIT.response_codec.decode(update.payload, "result") for update in updates]
    found = {one.id for one in [returned, *answers] if one is not None}
    assert (await wait(wanted, task)).id in found
    return found


async def test_whatever_the_order_the_wait_gets_its_event(bench: Bench) -> None:
    clients = Stepped(), Stepped()
    for number, order in enumerate(orders()):
        assert await found_in(bench, clients, number, order) == {order}
    for client in clients:
        await client.close()
    assert len(await bench.rows("end")) == number + 1
