"""Whether a message is a redelivered one whose turn may never have been dispatched.

Law: after any delivery to a freshly loaded history its last turn is known to be dispatched. Only
the last one can be unsent: a turn is dispatched before the next is made, and a message is
redelivered before any later one of its execution.
"""

from __future__ import annotations

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model import messages as m
from lambda_workflow.model.judging import Acceptance, Duplicate, Late
from lambda_workflow.model.turn import Turn
from lambda_workflow.runtime.dispatch import status_changed
from lambda_workflow.runtime.living import Live


class LastTurn:
    """The last turn of a history just loaded, whose worker may have died before it sent anything.

    A message that has an id, or an operation of its own, is known by it when it is redelivered.
    One that has none is taken for the one that made this turn if its like stands there: sending
    once more what a turn causes does no harm, and leaving it unsent would end the execution. A
    copy that this process has kept is sent.

    What answers an operation that this turn began has come of the turn, and did not make it: to
    send the turn again for each such message would have it answered again, without end.
    """

    def __init__(self, live: Live) -> None:
        self._number: set[int] = set()
        if live.cached:
            return
        history, turns = live.history, live.history.turns
        self._is_of_steps = False
        self._likes: set[tuple[str, ...]] = set()
        self._began: dict[str, int] = {}
        if not turns or not (turns[-1].commands or status_changed(history)):
            return
        self._number = {turns[-1].number}
        self._is_of_steps = is_of_steps(turns[-1])
        self._began = dict(filter(None, map(_beginning, turns[-1].commands)))
        made = next((turn for turn in reversed(turns) if not is_of_steps(turn)), turns[-1])
        self._likes = {like for event in made.events if (like := _like(event))}

    def turns_of(self, message: m.Message, judged: Acceptance) -> set[int]:
        """The number of the turn, if this may be the message whose delivery made it."""
        if not self._number:
            return set()
        if self._is_answer(message):
            return set()
        # of steps that were taken up again, whatever the message was
        is_of_steps = self._is_of_steps and isinstance(judged, Duplicate | Late)
        return self._number if is_of_steps or _like(message) in self._likes else set()

    def _is_answer(self, message: m.Message) -> bool:
        """Whether a message tells of what began with this turn."""
        if not isinstance(message, m.Update | m.Heartbeat | m.Timer):
            return False
        attempt = self._began.get(message.operation)
        named = 0 if isinstance(message, m.Timer) else message.attempt
        return attempt is not None and named in (0, attempt)


def _beginning(command: c.Command) -> tuple[str, int] | None:
    """The operation that a command begins, or begins once more, and the attempt."""
    match command:
        case c.RetryCall():
            return command.operation, command.attempt
        case c.ScheduleCall() | c.StartTimer() | c.StartChild() | c.OpenCallback():
            return command.operation, 1
        case _:
            return None


def is_of_steps(turn: Turn) -> bool:
    """Whether no message brought the facts of a turn."""
    return all(isinstance(event, e.StepSucceeded | e.StepErrored) for event in turn.events)


def _like(told: m.Message | e.Event) -> tuple[str, ...]:
    """What a message without identity and the fact that it brings have in common."""
    match told:
        case m.Heartbeat() | e.Heartbeat():
            return ("heartbeat", told.operation)
        case m.Cancel() | e.CancelRequested() if not told.id:
            return ("cancel",)
        case m.Terminate() | e.Terminated() if not told.id:
            return ("terminate",)
        case m.Pause() | e.Paused() if not told.id:
            return ("pause",)
        case m.Resume() | e.Resumed() if not told.id:
            return ("resume",)
        case _:
            return ()
