"""The types of the testing kit, as mypy --strict sees them; nothing here runs. See api.py."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, assert_type

from lambda_workflow import RemoteWorkflow, Signal, Task, Update
from lambda_workflow.testing import (
    Act,
    CallSeen,
    Explored,
    Fake,
    Simulated,
    Simulation,
    Snapshot,
    after,
    callback,
    explore,
    fake,
    now,
    simulate,
)
from tests.typing.api import BALANCE, LEDGER, LISTS, MAYBE, Balance, Receipt, Transfer, transfer

# what a fake takes


def plain(order: Transfer) -> Balance:
    return Balance(order.amount)


def with_task(order: Transfer, task: Task) -> Balance:
    return Balance(task.attempt)


async def asynchronous(order: Transfer) -> Balance:
    await asyncio.sleep(1)
    return Balance(order.amount)


def of_receipt(receipt: Receipt) -> Balance:
    return Balance(1)


assert_type(fake(BALANCE), Fake[Transfer, Balance])
assert_type(fake(BALANCE).returns(Balance(1)), Fake[Transfer, Balance])
fake(BALANCE).returns(Balance(1), Balance(2), after=timedelta(seconds=1))
fake(BALANCE).raises(OSError("down")).runs(plain).runs(with_task).runs(asynchronous).is_silent()
fake(BALANCE).runs(lambda order: Balance(order.amount))
fake(MAYBE).returns(None)
fake(LISTS).returns({"a": 1})

fake(BALANCE).returns(Receipt("1"))  # type: ignore[arg-type]  # another response
fake(BALANCE).returns(Balance(1), 2)  # type: ignore[arg-type]  # the second is none
fake(BALANCE).returns(None)  # type: ignore[arg-type]  # it always answers
fake(BALANCE).runs(of_receipt)  # type: ignore[arg-type]  # another request
fake(LEDGER).runs(plain)  # type: ignore[arg-type]  # another response
fake(BALANCE).runs(lambda order: order.reason)  # type: ignore[attr-defined]  # no such field
fake(BALANCE).raises(OSError)  # type: ignore[arg-type]  # a class
fake(BALANCE).returns(Balance(1), after=3)  # type: ignore[arg-type]  # no unit
fake("balance")  # type: ignore[call-overload]  # a name

# what comes from outside

STOP: Signal[str] = Signal("stop", str)
LIMIT: Update[int, str] = Update("limit", int, str)
REMOTE: RemoteWorkflow[int, str] = RemoteWorkflow("remote", int, str, app="other")

assert_type(fake(transfer), Fake[Transfer, Receipt | None])
assert_type(fake(REMOTE), Fake[int, str])
assert_type(after(timedelta(hours=1)).signal(STOP, "enough"), Act)
now.update(LIMIT, 5)
callback("approval").returns(True).raises(OSError("down"))

fake(transfer).returns("1")  # type: ignore[arg-type]  # another result
fake(REMOTE).runs(plain)  # type: ignore[arg-type]  # another request
after(timedelta(hours=1)).signal(STOP, 1)  # type: ignore[misc]  # another payload
now.update(LIMIT, "5")  # type: ignore[misc]  # another request
after(60)  # type: ignore[arg-type]  # no unit

# what a simulation gives

run = simulate(transfer, Transfer(1), fake(BALANCE).returns(Balance(1)), chaos=True)
assert_type(run, Simulated[Receipt | None])
assert_type(run.result, Receipt | None)
assert_type(run.payloads(BALANCE), list[Transfer])
assert_type(run.calls, Sequence[CallSeen])

simulate(transfer, Balance(1))  # type: ignore[misc]  # another request
simulate(transfer, Transfer(1), BALANCE)  # type: ignore[arg-type]  # a service, no fake of it

with Simulation(transfer, Transfer(1)) as simulation:
    assert_type(simulation.advance(timedelta(days=1)), Snapshot)
    assert_type(simulation.run(), Simulated[Receipt | None])


def scenario() -> Iterator[Fake[Any, Any]]:
    yield fake(BALANCE).returns(Balance(1))


def paid(run: Simulated[Receipt | None]) -> bool:
    return run.result is not None


def other(run: Simulated[int]) -> bool:
    return run.result > 0


explored = explore(transfer, Transfer(1), scenario, fake(MAYBE).returns(None), invariant=paid)
assert_type(explored, Explored[Receipt | None])
explore(transfer, Transfer(1), invariant=other)  # type: ignore[arg-type]  # another result
