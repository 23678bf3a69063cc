"""Two different signals or updates with one id: the first counts, and the second is told of."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_workflow import App, Context, Signal, workflow
from lambda_workflow.model import messages as m
from lambda_workflow.runtime.talk import send_once
from tests.runtime.conftest import MakeHost

WORD: Signal[Any] = Signal("word", Any)


@workflow
async def hears(ctx: Context, n: int) -> list[Any]:
    return [await ctx.wait_signal(WORD) for _ in range(n)]


APP = App("same", workflows=[hears])
FIRST = m.Signal("e", "word", {"a": 1}, "s")
OTHERS = [m.Signal("e", "word", {"a": 2}, "s"), m.Signal("e", "other", {"a": 1}, "s")]


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("is_together", [True, False])
async def test_another_signal_of_the_same_id_is_late_with_a_warning(
    make_host: MakeHost, other: m.Signal, is_together: bool
) -> None:
    host = make_host(APP)
    await host.start(hears, 2)
    if is_together:
        await host.send(FIRST, other)
    else:
        await host.send(FIRST)
        await host.send(other)
    (note,) = host.notes.of("late")
    assert "was accepted under this id before" in note.fields["reason"]
    assert not note.fields["expected"]
    await host.send(FIRST)
    assert len(host.notes.of("duplicate")) == 1


@pytest.mark.parametrize("other", OTHERS)
def test_a_queue_does_not_take_one_for_the_other(other: m.Signal) -> None:
    assert send_once(FIRST).deduplication == send_once(FIRST).deduplication
    assert send_once(FIRST).deduplication != send_once(other).deduplication
