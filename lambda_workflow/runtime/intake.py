"""Taking messages in: what of them is news to the execution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lambda_workflow.errors import BackendError, Conflict, MessageError
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.judging import REPLACED, Duplicate, Late, Wake
from lambda_workflow.model.limits import RECEIVES_MAX
from lambda_workflow.model.messages import (
    Cancel,
    Message,
    Pause,
    Redrive,
    Request,
    Resume,
    Terminate,
    Timer,
    Update,
)
from lambda_workflow.model.references import is_answer_owned, stray
from lambda_workflow.ports import ArmTimer, Backend, Effect, Happening
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.kin import refusal
from lambda_workflow.runtime.living import Live
from lambda_workflow.runtime.redelivery import LastTurn


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message taken off an execution's queue.

    Attributes:
        receipt: the host's own handle of it.
        receives: how often it was delivered, this time included.
    """

    message: Message
    receipt: Any = None
    receives: int = 1


class RefusedArrival(MessageError):
    """A message that its execution must not take in, however often it is delivered."""

    is_deterministic = True

    def __init__(self, reason: str, receipt: Any) -> None:
        super().__init__(reason)
        self.receipt = receipt


@dataclass(slots=True)
class Intake:
    """What the messages of a turn amount to."""

    events: list[e.Event] = field(default_factory=list)
    duplicates: set[int] = field(default_factory=set)
    wake: str = ""  # what a redrive is known by
    replies: list[Effect] = field(default_factory=list)  # to what is not taken in


def take_in(arrivals: Sequence[Arrival], live: Live, backend: Backend, app: App) -> Intake:
    """Judge each message in order, and take in the facts that are new.

    Raises:
        Conflict: a cached copy cannot judge this; load, and take in again.
        BackendError: a child's order to end came before its start; the order is redelivered.
        RefusedArrival: an answer refers to a payload that belongs to another execution.
    """
    history, now = live.history, backend.clock.now()
    intake, last = Intake(_next_run(history, app, now)), LastTurn(live)
    for arrival in _in_order(_starts_first(arrivals)):
        earlier = history.taken.get("resume")
        judged = history.accept(_with_secret(arrival.message, backend), now)
        facts: dict[str, Any] = {"message": (kind := type(arrival.message).__name__)}
        intake.duplicates |= last.turns_of(arrival.message, judged)
        match judged:
            case Duplicate() if live.cached and _has_no_id(arrival.message):
                # this one may be new since another worker took the opposite, or began a run
                raise Conflict(f"only the store can say whether a {kind} is a repeated one")
            case Duplicate():
                intake.duplicates.add(judged.turn)
                if isinstance(arrival.message, Redrive):
                    intake.duplicates |= _without_facts(history)
                facts["turn_number"] = judged.turn
                backend.observer.notify(Happening("duplicate", history.execution_id, fields=facts))
            case Late() if live.cached and not (judged.expected or judged.again):
                # another worker may have gone on: only the store can say that it is too late
                raise Conflict(f"a {kind} that this copy does not expect: {judged.reason}")
            case Late() if _is_too_early(arrival, history):
                raise _not_begun(history.execution_id)
            case Late():
                facts |= {"reason": judged.reason, "expected": judged.expected}
                intake.replies += _replies(arrival.message, judged)
                backend.observer.notify(Happening("late", history.execution_id, fields=facts))
            case Wake() if live.cached:
                raise Conflict("a redrive starts from the store")
            case Wake():
                intake.wake = getattr(arrival.message, "id", "") or str(now)
                intake.duplicates |= _without_facts(history)
            case e.Started():
                intake.events.append(history.run_by(app.version_of(judged.workflow)))
            case _:
                intake.events.append(_owned(judged, arrival, history))
        if isinstance(judged, e.Resumed) and earlier and not judged.id:
            intake.duplicates.add(earlier)  # it may be a repeated one, after a repeated Pause
    return intake


def _next_run(history: History, app: App, now: int) -> list[e.Event]:
    """The start of a run that its worker did not come to, if it died between two runs."""
    if history.renewal is None:
        return []
    begun = history.next_run(now)
    return [history.run_by(app.version_of(begun.workflow))]


def _owned(event: e.Event, arrival: Arrival, history: History) -> e.Event:
    """The event of a message that refers to no payload of another execution."""
    message = arrival.message
    if not isinstance(message, Update) or not isinstance(ref := message.payload, e.BlobRef):
        return event
    if not is_answer_owned(message, history.opened.get(message.operation)):
        reason = stray(history.execution_id, "payload_ref", ref.key)
        raise RefusedArrival(reason, arrival.receipt)
    return event


def _is_too_early(arrival: Arrival, history: History) -> bool:
    """Whether a parent's order to end comes before the start that was sent before it.

    The start stands in the same queue. After some receives of the order the start has been
    delivered too: the child has ended and expired, or its start was moved aside. Then nothing is
    left to end, and the order is discarded.
    """
    is_new = history.started is None and arrival.receives < RECEIVES_MAX
    return is_new and _is_of_parent(arrival.message)


def _starts_first(arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
    """The arrivals, a start before the order of the same parent to end what it starts.

    A queue has them the other way round where the first send of the start failed.
    """
    if len(arrivals) < 2 or not any(_is_of_parent(one.message) for one in arrivals):
        return arrivals
    ended = {getattr(one.message, "start", "") for one in arrivals} - {""}
    starts = [one for one in arrivals if _start_of(one.message) in ended]
    if not starts:
        return arrivals
    return [*starts, *(one for one in arrivals if _start_of(one.message) not in ended)]


def _start_of(message: Message) -> str | None:
    return message.options.id if isinstance(message, Request) else None


def _not_begun(execution_id: str) -> BackendError:
    return BackendError(
        f"execution {execution_id} was ordered to end by its parent, and has not started: its "
        "start was sent before, and the order is redelivered after it"
    )


def _replies(message: Message, late: Late) -> list[Effect]:
    """What a message that is not taken in causes: a refusal to its sender, a timer armed again."""
    if isinstance(message, Timer) and late.again:
        dedup = f"again{late.again}"
        return [ArmTimer(message.execution_id, message.operation, late.again, dedup, again=True)]
    refused = refusal(message, late.reason) if isinstance(message, Request) else None
    return [refused] if refused else []


def _without_facts(history: History) -> set[int]:
    """Turns that a redrive has made, which leaves no fact: it may be the redelivered one."""
    return {turn.number for turn in history.turns if not turn.events}


def _has_no_id(message: Message) -> bool:
    return isinstance(message, Cancel | Pause | Resume) and not message.id


def _is_of_parent(message: Message) -> bool:
    return isinstance(message, Cancel | Terminate) and bool(message.start)


def _in_order(arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
    """Timers that come together take effect as they were due; a queue may know seconds only."""
    due = {
        place: (arrival.message.due, place)
        for place, arrival in enumerate(arrivals)
        if isinstance(arrival.message, Timer)
    }
    if len(due) < 2:
        return arrivals
    ordered = list(arrivals)
    for place, source in zip(due, sorted(due, key=due.__getitem__), strict=True):
        ordered[place] = arrivals[source]
    return ordered


def parts_of(arrivals: Sequence[Arrival]) -> list[list[Arrival]]:
    """The arrivals, cut before each start that replaces what has its id: it begins a record.

    It stands in a part of its own as well, where it ends what still runs. Sent again it is known by
    its id, and ends nothing.
    """
    parts: list[list[Arrival]] = []
    for arrival in arrivals:
        message = arrival.message
        replaces = isinstance(message, Request) and message.replace
        if replaces or not parts:
            parts += [[arrival], []] if replaces else [[]]
        parts[-1].append(arrival)
    return parts


def replaces_what_it_ended(arrivals: Sequence[Arrival], history: History) -> bool:
    """Whether a start is to begin, for whose sake the run before was ended in another delivery.

    Its worker may have died before it told of that end, and no other message would bring it up.
    """
    if not history.turns or not history.status.closed or history.started is None:
        return False
    ended = history.turns[-1].events
    if not any(isinstance(one, e.Terminated) and one.reason == REPLACED for one in ended):
        return False
    first, present = arrivals[0].message, history.started.options.id
    return isinstance(first, Request) and first.replace and first.options.id != present


def _with_secret(message: Message, backend: Backend) -> Message:
    """A start by the wire format alone has no secret for callback tokens: it gets one here."""
    if not isinstance(message, Request) or message.options.secret:
        return message
    return replace(message, options=replace(message.options, secret=backend.draw_secret()))
