"""A stored record that is damaged: read, or refused by execution and record; it harms no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_workflow import Client
from lambda_workflow.errors import WorkflowError
from lambda_workflow.model import messages as m
from lambda_workflow.model.exported import read_history, write_history
from lambda_workflow.model.history import History
from lambda_workflow.model.turn import decode_turns
from lambda_workflow.model.wire import render
from lambda_workflow.runtime.batch import Record
from tests.malformed.queue import beside, check_neighbours, deliver
from tests.malformed.samples import APP, FAILURE, start
from tests.malformed.strategies import damaged, quick, thorough
from tests.runtime.harness import Host


async def _made() -> tuple[str, ...]:
    host = Host(APP)
    await start(host)
    await host.send(m.Heartbeat("e", "2", {"done": 1}, 1))
    await host.send(m.Update("e", "2", None, FAILURE, 1), m.Signal("e", "nudge", 5, "n1"))
    await host.send(m.UpdateRequest("e", "ask", 5, "a1"), m.Pause("e", "lunch", "p1"))
    await host.send(m.Resume("e", "r1"))
    await host.wait(10)
    host.close()
    return tuple(host.store._texts["e"])


@cache
def records() -> tuple[str, ...]:
    """The records of an execution with most kinds of rows, which still waits."""
    return asyncio.run(_made())


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, ...]:
    """The same with one record damaged, missing or doubled."""
    texts = list(records())
    place = draw(st.integers(0, len(texts) - 1))
    match draw(st.integers(0, 19)):
        case 0:
            del texts[place]
        case 1:
            texts.insert(place, texts[place])
        case _:
            texts[place] = draw(damaged([json.loads(texts[place])]))
    return tuple(texts)


def check(texts: Sequence[str]) -> None:
    """Read the execution in every way, and let it go on beside healthy ones."""
    asyncio.run(_check(texts))


async def _check(texts: Sequence[str]) -> None:
    host = Host(APP)
    host.store._texts["e"] = list(texts)
    client = Client(APP, host.memory.backend)
    try:
        for ask in (client.history, client.export, client.describe):
            said = "execution e"
            try:
                await ask("e")
            except WorkflowError as error:
                said = str(error)
            assert "execution e" in said
        answer = render(m.Update("e", "2", 5, None, 2))
        signal = render(m.Signal("e", "nudge", 7, "n7"))
        # the damaged execution may be mended: what comes for it waits, or is moved aside
        records = [Record("a", answer, "e"), Record("s", signal, "e")]
        healthy = [beside(name, name) for name in ("first", "last", "other")]
        letters = await deliver(host, [*records, *healthy])
        assert all("execution e" in reason for reason in letters.reasons.values())
        await check_neighbours(host)
    finally:
        host.close()


@quick(60)
@given(histories())
def test_a_damaged_record_is_refused_by_name_and_harms_no_other(texts: Sequence[str]) -> None:
    check(texts)


@pytest.mark.thorough
@thorough(600)
@given(histories())
def test_no_damaged_record_harms_any_other(texts: Sequence[str]) -> None:
    check(texts)


def document() -> Any:
    """An exported history, as JSON."""
    return json.loads(write_history(History("e", decode_turns(records()))))


def check_exported(text: str) -> None:
    with suppress(WorkflowError):
        history = read_history(text)
        again = write_history(history)  # its secret is another
        assert write_history(read_history(again)) == again


@quick(100)
@given(damaged([document()]))
def test_a_damaged_document_of_a_history_is_read_or_refused(text: str) -> None:
    check_exported(text)


@pytest.mark.thorough
@thorough(600)
@given(damaged([document()]))
def test_any_damaged_document_of_a_history_is_read_or_refused(text: str) -> None:
    check_exported(text)
