"""Every change of the page, at every suspension point: it goes on rightly, or is BLOCKED and heals.

By default each point is tried in one order and one kind of memory, and some on SQLite;
`--thorough` tries all, on both.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from lambda_workflow import App, Status
from tests.changes import of_calls, of_work
from tests.changes.parts import Change, made
from tests.changes.world import ORDERS, World
from tests.ports import backends_memory, backends_sqlite

PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "changing-running-workflows.md"
CHANGES: Final = [*of_calls.CHANGES, *of_work.CHANGES]
POINTS_MAX: Final = 12
BACKENDS: Final = {"memory": backends_memory, "sqlite": backends_sqlite}
Ended = tuple[Status, Any, list[tuple[str, str]]]
Variant = tuple[str, int, bool]  # the order, how many stay in memory, whether both workers run


@cache
def rows() -> dict[str, str]:
    """The page's table: what is changed, and whether executions go on."""
    found = re.findall(r"^\| (.+?) \| (goes on|BLOCKED) \|", PAGE.read_text(), re.MULTILINE)
    return dict(found)


@asynccontextmanager
async def a_world(
    change: Change, folder: Path, variant: Variant, backend: str = "memory"
) -> AsyncIterator[World]:
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  # one folder
    async with BACKENDS[backend].open_backend(folder) as harness:
        world = World(harness, variant[0], variant[1], list(change.outside))
        try:
            yield world
        finally:
            world.close()


async def ended(world: World) -> Ended:
    status, value, _ = await world.outcome()
    return status, value, sorted(world.effects.values())


async def alone(change: Change, app: App, folder: Path) -> tuple[Ended, int]:
    """What the code does where nothing changes, and in how many deliveries."""
    async with a_world(change, folder, (ORDERS[0], 100, False)) as world:
        await world.start(app, made(change.before))
        count = await world.run(app)
        return await ended(world), count


def variants(number: int, *, thorough: bool) -> list[Variant]:
    every = [(o, n, both) for o in ORDERS for n in (0, 100) for both in (False, True)]
    return every if thorough else [every[number * 5 % len(every)]]


@pytest.fixture
def thorough(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--thorough"))


def test_each_row_of_the_page_is_a_change_that_is_tried_here() -> None:
    assert set(rows()) == {change.row for change in CHANGES}
    assert len(CHANGES) >= 60


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.id)
async def test_a_change(change: Change, tmp_path: Path, *, thorough: bool) -> None:
    old, points = await alone(change, change.old(), tmp_path / "old")
    new, _ = await alone(change, change.new(), tmp_path / "new")
    blocked = 0
    for point in range(min(points, POINTS_MAX)):
        for variant in variants(point + len(change.id), thorough=thorough):
            folder = tmp_path / f"{point}"
            blocked += await _try(change, (old, new), (folder, point, variant), "memory")
    assert bool(blocked) == (rows()[change.row] == "BLOCKED")


@pytest.mark.parametrize("change", CHANGES[::6], ids=lambda change: change.id)
async def test_a_change_on_sqlite(change: Change, tmp_path: Path) -> None:
    old, points = await alone(change, change.old(), tmp_path / "old")
    new, _ = await alone(change, change.new(), tmp_path / "new")
    place = tmp_path / "changed", points // 2, (ORDERS[2], 0, False)
    await _try(change, (old, new), place, "sqlite")


@pytest.mark.thorough
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.id)
async def test_a_change_at_every_point_on_sqlite(change: Change, tmp_path: Path) -> None:
    old, points = await alone(change, change.old(), tmp_path / "old")
    new, _ = await alone(change, change.new(), tmp_path / "new")
    for point in range(min(points, POINTS_MAX)):
        for number, variant in enumerate(variants(0, thorough=True)):
            place = tmp_path / f"{point}-{number}", point, variant
            await _try(change, (old, new), place, "sqlite")


async def _try(
    change: Change, alone: tuple[Ended, Ended], place: tuple[Path, int, Variant], backend: str
) -> bool:
    """Deploy the new code after so many deliveries; whether the execution was BLOCKED."""
    folder, point, variant = place
    rolling = variant[2] and change.rolls and _goes_on(change)
    old, new = change.old(), change.new()
    for fix in ("old", "version"):
        async with a_world(change, folder / fix, variant, backend) as world:
            await world.start(old, made(change.before))
            await world.run(old, point)
            await world.run_by([new, old, new, new] if rolling else [new])
            status, _, reason = await world.outcome()
            if status is not Status.BLOCKED:
                _is_one_of(await ended(world), alone, reason)
                return False
            _is_helpful(reason)
            assert not _goes_on(change), reason
            healing = old if fix == "old" else change.fixed()
            await world.redrive(healing)
            await world.run(healing)
            _is_one_of(await ended(world), alone, (await world.outcome())[2])
    return True


def _goes_on(change: Change) -> bool:
    return rows()[change.row] == "goes on"


def _is_one_of(found: Ended, alone: Sequence[Ended], reason: str) -> None:
    """It ends as the old code or the new one does, and has done what that does, once each."""
    assert found[0].closed, (found, reason)
    assert found[1] in [one[1] for one in alone], found
    assert found[2] in [one[2] for one in alone], found


def _is_helpful(reason: str) -> None:
    """It names a line of the author's, the workflow and the App, and no value."""
    assert re.search(r"tests/changes/\w+\.py:\d+", reason), reason
    assert "flow" in reason
    assert "shop" in reason
    assert not re.search(r"\btea\b|\bTEA\b|USD", reason), reason
    assert "lambda_workflow/" not in reason
