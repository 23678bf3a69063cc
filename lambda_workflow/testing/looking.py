"""What a test sees of an execution: its calls, what it waits for, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from lambda_workflow.errors import ExecutionFailed
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import Json
from lambda_workflow.model.service import Service
from lambda_workflow.model.turn import Turn
from lambda_workflow.ports import Happening
from lambda_workflow.testing.schedule import Fault

Out = TypeVar("Out")
Req = TypeVar("Req")

TOLD_MAX: Final = 20  # facts, and commands, of a turn in its line of the timeline
# the kinds of happenings that tell of a slip
WARNINGS: Final = ("unawaited", "unseen", "stubborn", "set_aside", "repeats")


@dataclass(frozen=True, slots=True)
class CallSeen:
    """A call that the workflow made.

    Attributes:
        operation: its id in the history, such as `2` or `1.3`.
        name: what the workflow called it beside its service's name.
        payload: of the service's request type.
        attempts: how many the history knows of.
        state: `pending`, `succeeded`, `failed`, `timed out`, `withdrawn`, or `sent` where nobody
            waits for it.
        result: of the service's response type, once it succeeded.
        failure: the last attempt's error.
    """

    operation: str
    service: str
    name: str
    payload: Any
    attempts: int = 1
    state: str = "pending"
    result: Any = None
    failure: e.Failure | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Something that an execution waits for.

    Attributes:
        operation: its id; a timer that guards a call has the call's with a suffix, `2:timeout`.
        kind: `call`, `timer`, `step`, `callback` or `child`: what is waited for.
        name: the service or workflow, or the name given in the code.
        due: when it ends by itself, of a timer.
    """

    operation: str
    kind: str
    name: str = ""
    due: datetime | None = None

    def __str__(self) -> str:
        text = f"{self.kind} {self.operation}" + (f" ({self.name})" if self.name else "")
        return text + (f" due {self.due:%Y-%m-%d %H:%M:%S} UTC" if self.due else "")


KINDS: Final = {
    "OpenCallback": "callback",
    "RunStep": "step",
    "ScheduleCall": "call",
    "StartChild": "child",
    "StartTimer": "timer",
}


def pending_of(history: History) -> list[Pending]:
    """All that a history has begun and not ended, in the order in which it began."""
    if history.status.closed:
        return []
    found = []
    for operation, command in history.open.items():
        kind = type(command).__name__
        named = (getattr(command, key, "") for key in ("name", "service", "workflow"))
        name = next(filter(None, named), "")
        due = getattr(command, "due", None)
        moment = None if due is None else datetime.fromtimestamp(due / 1000, UTC)
        found.append(Pending(operation, KINDS.get(kind, kind), name, moment))
    return found


def calls_of(history: History, services: Mapping[str, Service[Any, Any]]) -> list[CallSeen]:
    """The service calls of a history, payloads and results decoded, in the order of the calls."""
    calls: dict[str, CallSeen] = {}
    for turn in history.turns:
        for event in turn.events:
            operation = getattr(event, "operation", "")
            match event:
                case e.CallSucceeded() if operation in calls:
                    call = calls[operation]
                    service = services[call.service]
                    result = service.response_codec.decode(event.payload, service.response_label)
                    calls[operation] = replace(call, state="succeeded", result=result)
                case e.CallErrored() if operation in calls:
                    failed = replace(calls[operation], failure=event.failure)
                    calls[operation] = replace(failed, attempts=event.attempt, state="failed")
                case e.TimerFired() if operation.endswith(":timeout"):
                    owner = c.owner_of(operation)
                    if owner in calls:
                        calls[owner] = replace(calls[owner], state="timed out")
                case _:
                    pass
        for command in turn.commands:
            _apply(command, calls, services)
    return [_settled(call, history) for call in calls.values()]


def _settled(call: CallSeen, history: History) -> CallSeen:
    """What nothing is heard of any more has failed, for want of a heartbeat or of an answer."""
    is_over = history.status.closed or call.operation not in history.open
    return replace(call, state="failed") if call.state == "pending" and is_over else call


def _apply(
    command: c.Command, calls: dict[str, CallSeen], services: Mapping[str, Service[Any, Any]]
) -> None:
    match command:
        case c.ScheduleCall():
            service = services[command.service]
            payload = service.request_codec.decode(command.payload, service.payload_label)
            seen = CallSeen(command.operation, command.service, command.name, payload)
            calls[command.operation] = seen
        case c.Send():
            service = services[command.service]
            payload = service.request_codec.decode(command.payload, service.payload_label)
            seen = CallSeen(command.operation, command.service, command.name, payload)
            calls[command.operation] = replace(seen, state="sent")
        case c.RetryCall(operation=operation, attempt=attempt) if operation in calls:
            calls[operation] = replace(calls[operation], attempts=attempt, state="pending")
        case c.StartTimer(operation=operation) if ":retry" in operation:
            owner = c.owner_of(operation)
            if owner in calls:
                calls[owner] = replace(calls[owner], state="pending")
        case c.CancelCall(operation=operation) if operation in calls:
            if calls[operation].state == "pending":
                calls[operation] = replace(calls[operation], state="withdrawn")
        case _:
            pass


@dataclass(frozen=True, slots=True)
class Reply:
    """How the workflow replied to an update.

    Attributes:
        payload: what was asked, as JSON.
        response: the reply, as JSON; None where there is none yet, or it is a refusal.
        failure: why it was refused.
    """

    update: str
    payload: Json
    response: Json = None
    failure: e.Failure | None = None


def replies_of(history: History) -> list[Reply]:
    """The updates that were asked for, in order, with their replies."""
    found: dict[str, Reply] = {}
    for turn in history.turns:
        for event in turn.events:
            if isinstance(event, e.UpdateRequested) and event.id not in found:
                found[event.id] = Reply(event.name, inline(event.payload))
        for command in turn.commands:
            if isinstance(command, c.Answer):
                response, failure = inline(command.payload), command.failure
                found[command.id] = replace(found[command.id], response=response, failure=failure)
    return list(found.values())


def inline(payload: Json | e.BlobRef) -> Json:
    """A payload that is in place, as all are in the histories that a simulation shows."""
    return None if isinstance(payload, e.BlobRef) else payload


def warnings_of(heard: Sequence[Happening]) -> list[str]:
    """What a developer should look at, in words."""
    return [
        f"{happening.kind}: " + ", ".join(f"{k} {v}" for k, v in happening.fields.items())
        for happening in heard
        if happening.kind in WARNINGS
    ]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is to be seen of an execution at one moment of its simulation.

    Attributes:
        status: where it stands.
        now: the virtual time.
        pending: all that it waits for: calls, timers, steps.
        calls: the service calls that it made, with payloads and results, in their order.
        history: all facts and commands, payloads in place.
        performed: how often each service did its work; more than the calls where attempts failed
            or a task was delivered twice.
        warnings: slips that are no errors in production, such as an exception never looked at.
        faults: what went wrong, if faults were asked for.
        custom_status: what the workflow said of itself by `ctx.set_status`, as JSON.
        replies: the updates that it was asked for, with its replies.
        timeline: what happened when, a line each.
    """

    status: Status
    now: datetime
    pending: Sequence[Pending]
    calls: Sequence[CallSeen]
    history: History = field(repr=False)
    performed: Mapping[str, int]
    warnings: Sequence[str]
    faults: Sequence[Fault]
    custom_status: Json
    replies: Sequence[Reply]
    timeline: Sequence[str] = field(repr=False)

    @property
    def timers(self) -> list[Pending]:
        """The timers among what is pending, the next one first."""
        due = [(one.due, one.operation, one) for one in self.pending if one.due is not None]
        return [one for _, _, one in sorted(due)]

    def payloads(self, service: Service[Req, Any]) -> list[Req]:
        """What the workflow sent to a service, in the order of its calls."""
        return [call.payload for call in self.calls if call.service == service.name]

    def __str__(self) -> str:
        return "\n".join(self.timeline)


@dataclass(frozen=True, slots=True)
class Simulated(Generic[Out]):
    """A simulated execution that has ended.

    Attributes:
        end: the last snapshot; what it shows can be asked of this object as well.
        outcome: what the workflow returned, or the error that it ended in.
    """

    execution_id: str
    end: Snapshot = field(repr=False)
    outcome: Out | ExecutionFailed

    @property
    def result(self) -> Out:
        """What the workflow returned.

        Raises:
            ExecutionFailed: it ended in an error; as `Client.result` raises it in production.
        """
        if isinstance(self.outcome, ExecutionFailed):
            raise self.outcome
        return self.outcome

    @property
    def failure(self) -> ExecutionFailed | None:
        """The error that it ended in, or None where there is a result."""
        return self.outcome if isinstance(self.outcome, ExecutionFailed) else None

    @property
    def elapsed(self) -> timedelta:
        """From the start to the end, in virtual time."""
        history = self.end.history
        return timedelta(milliseconds=history.turns[-1].at - history.since)

    @property
    def status(self) -> Status:
        """How it ended."""
        return self.end.status

    @property
    def calls(self) -> Sequence[CallSeen]:
        """The service calls that it made, with payloads and results, in their order."""
        return self.end.calls

    @property
    def performed(self) -> Mapping[str, int]:
        """How often each service did its work."""
        return self.end.performed

    @property
    def history(self) -> History:
        """All facts and commands, payloads in place."""
        return self.end.history

    @property
    def warnings(self) -> Sequence[str]:
        """Slips that are no errors in production."""
        return self.end.warnings

    @property
    def faults(self) -> Sequence[Fault]:
        """What went wrong, if faults were asked for."""
        return self.end.faults

    def payloads(self, service: Service[Req, Any]) -> list[Req]:
        """What the workflow sent to a service, in the order of its calls."""
        return self.end.payloads(service)

    def __str__(self) -> str:
        return str(self.end)


def describe_turn(turn: Turn) -> str:
    """A turn in one line: its facts, and what they caused."""
    facts, wishes = _told(turn.events), _told(turn.commands)
    text = f"turn {turn.number}: {', '.join(facts) or 'nothing new'}"
    return f"{text} → {', '.join(wishes)}" if wishes else text


def _told(facts: Sequence[Any]) -> list[str]:
    told = [_describe(fact) for fact in facts[:TOLD_MAX]]
    return [*told, f"and {len(facts) - TOLD_MAX} more"] if len(facts) > TOLD_MAX else told


def _describe(fact: Any) -> str:
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in type(fact).__name__).strip()
    named = (getattr(fact, key, "") for key in ("service", "workflow", "name", "operation"))
    said = " ".join(str(value) for value in named if value)
    for key in ("payload", "request", "failure"):
        value = getattr(fact, key, None)
        if value is not None:
            text = f"{value.type}: {value.message}" if isinstance(value, e.Failure) else repr(value)
            said += f" {text:.60}"
    return f"{words} {said}".strip()
