"""A malformed message in a batch: taken, too late, or a dead letter; it harms nothing beside it."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.malformed.queue import (
    busy_host,
    check_cold,
    check_neighbours,
    check_sent,
    deliver_with_neighbours,
)
from tests.malformed.samples import FIELDS, bodies
from tests.malformed.strategies import damaged, nonsense, quick, thorough

BODIES: Final = bodies("e") + bodies("unknown")
MESSAGES: Final = damaged(BODIES, FIELDS)


def check(*messages: str) -> None:
    """Deliver messages among healthy ones, and look at what became of all."""
    asyncio.run(_check(*messages))


async def _check(*messages: str) -> None:
    host = await busy_host()
    try:
        await deliver_with_neighbours(host, *messages)
        check_sent(host)
        await check_neighbours(host)
        await check_cold(host)
        check_sent(host)
    finally:
        host.close()


@quick(60)
@given(st.lists(MESSAGES, min_size=1, max_size=3))
def test_a_malformed_message_harms_no_other(messages: list[str]) -> None:
    check(*messages)


@pytest.mark.thorough
@thorough(1_000)
@given(st.lists(MESSAGES | nonsense, min_size=1, max_size=4))
def test_no_malformed_message_harms_any_other(messages: list[str]) -> None:
    check(*messages)
