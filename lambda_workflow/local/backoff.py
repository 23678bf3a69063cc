"""Waiting between tries of what keeps failing, with word to the observer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from lambda_workflow.model.failures import words_of
from lambda_workflow.ports import Backend, Happening

T = TypeVar("T")

FIRST_SECONDS: Final = 0.1
MAX_SECONDS: Final = 30.0  # what fails for hours costs next to nothing, and recovers in time


async def back_off(backend: Backend, execution_id: str, failures: int, error: Exception) -> None:
    """Tell the observer of the latest of so many failures in a row, and wait longer each time."""
    seconds = min(MAX_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 16))
    facts = {"error": words_of(error), "failures": failures, "again_in_seconds": seconds}
    backend.observer.notify(Happening("failed", execution_id, fields=facts))
    await backend.clock.sleep(seconds)


async def insist(backend: Backend, attempt: Callable[[], Awaitable[T]]) -> T:
    """Repeat what no execution is to blame for, until the file can be read and written again.

    Whatever it raises: an engine that ended here would take all its executions with it.
    """
    failures = 0
    while True:
        try:
            return await attempt()
        except Exception as error:  # noqa: BLE001  # see above
            failures += 1
            await back_off(backend, "", failures, error)
