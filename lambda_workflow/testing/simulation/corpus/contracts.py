"""The services that the corpus calls, and their adapters.

What an adapter answers depends on the task alone, so that a model can say what a workflow returns
however often, late or out of order its tasks are carried out.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from lambda_workflow.errors import ServiceError
from lambda_workflow.model.messages import Task
from lambda_workflow.model.retry import RetryPolicy
from lambda_workflow.model.service import Service
from lambda_workflow.runtime.heartbeats import heartbeat
from lambda_workflow.runtime.serve import serve
from lambda_workflow.testing.simulation.outside import Question, hand_out
from lambda_workflow.testing.simulation.services import SILENT as SILENT_NAME
from lambda_workflow.testing.simulation.services import Silence

PATIENT: Final = RetryPolicy(attempts=10)  # more than FLAKY's failures and chance's together

DOUBLE: Final = Service("double", int, int, retry=PATIENT)
JOIN: Final = Service("join", list[str], str, retry=PATIENT)
FLAKY: Final = Service("flaky", int, int, retry=PATIENT)
REFUSING: Final = Service("refusing", int, int, retry=PATIENT)
HOPELESS: Final = Service("hopeless", int, int, retry=RetryPolicy(attempts=3))
SILENT: Final = Service(SILENT_NAME, int, int)
SLOW: Final = Service("slow", int, int, retry=PATIENT)
BIG: Final = Service("big", str, str, retry=PATIENT)
WRONG: Final = Service("wrong", int, int, retry=PATIENT)
ASK: Final = Service("ask", Question, str, retry=PATIENT)
BUSY: Final = Service("busy", int, int, retry=PATIENT)
NOTE: Final = Service("note", int, int)
BEATING: Final = Service("beating", int, int, retry=PATIENT, heartbeat_timeout=timedelta(minutes=1))
LONG_BEATING: Final = Service(
    "long_beating", int, int, retry=PATIENT, heartbeat_timeout=timedelta(minutes=10)
)
FADING: Final = Service("fading", int, int, retry=PATIENT, heartbeat_timeout=timedelta(minutes=1))
SLUGGISH: Final = Service("sluggish", int, int, retry=PATIENT, attempt_timeout=timedelta(minutes=5))


@serve(DOUBLE)
async def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


@serve(JOIN)
def join(words: list[str]) -> str:
    """The words as one; a plain function, as services may be."""
    return " ".join(words)


@serve(FLAKY)
async def flaky(failures: int, task: Task) -> int:
    """Fails so many times before it says how often it was tried."""
    if task.attempt <= failures:
        raise OSError(f"attempt {task.attempt} of {task.task_id} breaks")
    return failures


@serve(REFUSING)
async def refusing(number: int) -> int:
    """Says no for good."""
    raise ServiceError(f"never {number}", type="Refused", retryable=False, details={"n": number})


@serve(HOPELESS)
async def hopeless(number: int) -> int:
    """Breaks every time."""
    raise ConnectionError("there is nobody")


@serve(SILENT)
async def silent(number: int) -> int:
    """Is never heard: the simulation drops its tasks."""
    return number


@serve(SLOW)
async def slow(seconds: int) -> int:
    """Takes its time."""
    await asyncio.sleep(seconds)
    return seconds


@serve(BIG)
async def big(text: str) -> str:
    """Gives back more than it got."""
    return text + text[::-1]


@serve(WRONG)
async def wrong(number: int) -> int:
    """Breaks its own contract."""
    return f"{number} apples"  # type: ignore[return-value]  # the point of it


@serve(ASK)
async def ask(question: Question) -> str:
    """Gives a token to somebody outside."""
    hand_out(question)
    return question.word


@serve(BUSY)
async def busy(times: int, task: Task) -> int:
    """Says so many times that it is to be asked in an hour."""
    if task.attempt <= times:
        raise ServiceError("not now", type="Busy", retry_after=timedelta(hours=1))
    return times


@serve(NOTE)
async def note(number: int) -> int:
    """Takes note; nobody waits for it."""
    return number


@serve(BEATING)
async def beating(seconds: int) -> int:
    """Takes its time, and is heard of all the while."""
    return await _beat(seconds)


@serve(LONG_BEATING)
async def long_beating(seconds: int) -> int:
    """As `beating`, heard of in time by whoever is asleep for minutes."""
    return await _beat(seconds)


async def _beat(seconds: int) -> int:
    for second in range(0, seconds, 20):
        await heartbeat({"seconds": second})
        await asyncio.sleep(20)
    return seconds


@serve(FADING)
async def fading(failures: int, task: Task) -> int:
    """So many attempts fall silent after a sign of life."""
    if task.attempt <= failures:
        await heartbeat(task.attempt)
        raise Silence
    return failures


@serve(SLUGGISH)
async def sluggish(failures: int, task: Task) -> int:
    """So many attempts give no answer."""
    if task.attempt <= failures:
        raise Silence
    return failures


ADAPTERS: Final = (
    double, join, flaky, refusing, hopeless, silent, slow, big, wrong, ask, busy, note, beating,
    long_beating, fading, sluggish,
)  # fmt: skip
