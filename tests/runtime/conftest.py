"""Hosts that unwind what they hold when a test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lambda_workflow import Client
from lambda_workflow.runtime.schedule import Schedule
from tests.runtime.days import Days, app
from tests.runtime.harness import Host

MakeHost = Callable[..., Host]
MakeDays = Callable[..., Days]


@pytest.fixture
def make_host() -> Iterator[MakeHost]:
    """Makes a Host of an App and the options of Turns."""
    made: list[Host] = []

    def make(*args: Any, **options: Any) -> Host:
        made.append(Host(*args, **options))
        return made[-1]

    yield make
    for host in made:
        host.close()


async def _at_once(execution_id: str, seconds: float) -> None:
    """No wait: nobody moves the clock meanwhile."""


@pytest.fixture
def make_days() -> Iterator[MakeDays]:
    """Makes Days of schedules and the options of Turns."""
    made: list[Days] = []

    def make(*schedules: Schedule[Any], **options: Any) -> Days:
        days = Days(app(*schedules), **{"check": True, "guard": True, "strict": True, **options})
        days.schedules = Client(days.app, days.memory.backend, wait=_at_once).schedules
        made.append(days)
        return days

    yield make
    for days in made:
        days.close()
