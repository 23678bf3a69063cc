"""What became of each delivery: whether all that it had to cause was sent, and how often it failed.

Laws
 1. After a delivery to a history that was loaded from the store, and after each turn of its own,
    nothing that the last turn causes is still unsent, unless a message that caused that turn is to
    be delivered again.
 2. A delivery that fails although nothing went wrong outside fails for a reason that will be the
    same the next time: no message does so more than DETERMINISTIC_MAX times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lambda_workflow.model.history import History
from lambda_workflow.model.limits import RECEIVES_MAX
from lambda_workflow.model.messages import Cancel, Request, Terminate
from lambda_workflow.model.turn import decode_turns
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import (
    ArmTimer,
    Commit,
    DisarmTimer,
    Effect,
    PutHeader,
    SendMessage,
    SendResponse,
    SendTask,
)
from lambda_workflow.runtime.dispatch import effects_of, header_of

if TYPE_CHECKING:
    from lambda_workflow.runtime.batch import RunsTurns
    from lambda_workflow.runtime.intake import Arrival
    from lambda_workflow.runtime.turns import TurnResult
    from lambda_workflow.testing.simulation.world import World

# receives of one message that fail alike with nothing wrong outside: at the next it is moved away
DETERMINISTIC_MAX: Final = RECEIVES_MAX - 1

Key = tuple[str, ...]


@dataclass(slots=True)
class Delivery:
    """What one run of `Turns.run` has seen: the last turn that it loaded, those that it made."""

    message_ids: Sequence[str]
    seen: list[int] = field(default_factory=list)


CURRENT: Final[ContextVar[Delivery | None]] = ContextVar("CURRENT", default=None)


@dataclass(slots=True)
class Deliveries:
    """The record of a run.

    Attributes:
        broken: what breaks a law above, in words.
        failures: how often each message has failed for a reason that stays.
        redriven: what a message was called before it was redriven.
    """

    broken: list[str] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    redriven: dict[str, str] = field(default_factory=dict)
    _unsent: dict[Key, list[tuple[str, int]]] = field(default_factory=dict)
    _left: dict[tuple[str, int], set[Key]] = field(default_factory=dict)
    _causes: dict[tuple[str, int], Sequence[str]] = field(default_factory=dict)

    def committed(self, commit: Commit, effects: Sequence[Effect]) -> None:
        """A turn is stored, and these effects of it are to be sent."""
        place = commit.execution_id, commit.turn.number
        delivery = CURRENT.get()
        if delivery is not None:
            delivery.seen.append(commit.turn.number)
        if not effects or place in self._left:
            return
        self._left[place] = set()
        ids = delivery.message_ids if delivery is not None else ()
        self._causes[place] = [self.first_id(message_id) for message_id in ids]
        for effect in effects:
            key = key_of(effect)
            self._left[place].add(key)
            self._unsent.setdefault(key, []).append(place)

    def sent(self, effect: Effect) -> None:
        """An effect has happened."""
        key = key_of(effect)
        for place in self._unsent.pop(key, ()):
            self._left[place].discard(key)

    def ended(self, world: World, execution_id: str, delivery: Delivery) -> None:
        """A delivery was answered for: check law 1."""
        for number in delivery.seen:
            place = execution_id, number
            if self._left.get(place) and not self._comes_again(world, place, delivery):
                for key in self._wanted(world, place):
                    self.broken.append(
                        f"law 21: {execution_id}: {' '.join(key)} of turn {number} is unsent after "
                        f"a delivery of {', '.join(delivery.message_ids)}"
                    )

    def first_id(self, message_id: str) -> str:
        """What a message was called when it was first sent."""
        return self.redriven.get(message_id, message_id)

    def failed(self, message_id: str, reason: str) -> None:
        """A delivery failed with nothing wrong outside: law 2."""
        self.failures[message_id] += 1
        if self.failures[message_id] == DETERMINISTIC_MAX + 1:
            times = self.failures[message_id]
            self.broken.append(f"law 22: message {message_id} has failed {times} times: {reason}")

    def _comes_again(self, world: World, place: tuple[str, int], delivery: Delivery) -> bool:
        """Whether a message that caused a turn is to be delivered once more, after this."""
        answered = {self.first_id(message_id) for message_id in delivery.message_ids}
        held = {self.first_id(message.id) for message in world.inbox.messages}
        held |= {self.first_id(letter.id) for letter in world.inbox.dead}
        return not (held - answered).isdisjoint(self._causes[place])

    def _wanted(self, world: World, place: tuple[str, int]) -> list[Key]:
        """What of the unsent effects the history still asks for."""
        execution_id, number = place
        history = History(execution_id, decode_turns(world.records(execution_id)))
        turn = next((turn for turn in history.turns if turn.number == number), None)
        effects: Iterable[Effect] = [] if turn is None else effects_of(turn, history, "")
        wanted = [key_of(effect) for effect in effects]
        if number == history.turns[-1].number:
            wanted.append(key_of(PutHeader(header_of(history))))
        return [key for key in wanted if key in self._left[place]]


@dataclass(frozen=True, slots=True)
class WatchedTurns:
    """`Turns`, each run of which is a `Delivery`."""

    turns: RunsTurns
    world: World

    async def run(
        self, execution_id: str, arrivals: Sequence[Arrival], *, consumed: Usage = Usage()
    ) -> TurnResult:
        """One turn; see `Turns.run`."""
        delivery = Delivery([str(arrival.receipt) for arrival in arrivals])
        token = CURRENT.set(delivery)
        try:
            result = await self.turns.run(execution_id, arrivals, consumed=consumed)
        finally:
            CURRENT.reset(token)
        if self.world.deliveries is not None:
            self.world.deliveries.ended(self.world, execution_id, delivery)
        return result


def key_of(effect: Effect) -> Key:
    """What an effect is known by, however often it is sent and under which deduplication id."""
    match effect:
        case SendTask():
            task = effect.task
            return ("task", task.task_id, str(task.attempt), "withdrawn" if task.cancelled else "")
        case SendMessage():
            message = effect.message
            about = getattr(message, "operation", "")
            if isinstance(message, Request):
                about = message.options.id
            elif isinstance(message, Cancel | Terminate):
                about = message.start
            return (type(message).__name__, message.execution_id, about)
        case SendResponse():
            return ("response", effect.response.execution_id)
        case ArmTimer():
            return ("timer", effect.execution_id, effect.operation)
        case DisarmTimer():
            return ("end of timer", effect.execution_id, effect.operation)
        case PutHeader():
            return ("header", effect.header.execution_id)
