"""Hosts that unwind what they hold when a test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.runtime.harness import Host

MakeHost = Callable[..., Host]


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
