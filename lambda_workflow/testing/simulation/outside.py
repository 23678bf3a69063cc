"""Somebody outside: signals, asks, answers callbacks, cancels, pauses; twice, too early, too late.

Laws
 1. As the Client does, they talk only to executions that the store knows.
 2. What they say may reach the queue twice, under one id, and after the queue has forgotten that
    id with another body, of which nothing is taken. A pause without an id is said once.
 3. Whoever holds a callback's token may answer it at any time, as often as they like; whoever does
    not may try.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from lambda_workflow.model.events import Failure
from lambda_workflow.model.ids import task_id
from lambda_workflow.model.messages import (
    Cancel,
    Heartbeat,
    Message,
    Pause,
    Resume,
    Signal,
    Terminate,
    Update,
    UpdateRequest,
)
from lambda_workflow.model.payload import Json
from lambda_workflow.model.tokens import make_token, read_token
from lambda_workflow.model.wire import render
from lambda_workflow.testing.simulation.outages import RetainingStore
from lambda_workflow.testing.simulation.world import World, finish

AGAIN: Final = 0.2  # how often something is said twice
FORGED: Final = "forged"
CHANGED: Final = 77_777  # a payload that no model allows
LOOKS: Final = (1.0, 60.0, 600.0)  # seconds until somebody looks again whether one has begun


@dataclass(frozen=True, slots=True)
class Question:
    """What a workflow asks somebody outside.

    Attributes:
        token: of the callback that waits for the answer.
        word: what to answer.
        seconds: how long it takes, about; not at all if negative.
        refuses: whether the answer is an error.
        beats: how many signs of life come first, a third of a minute apart.
    """

    token: str
    word: str
    seconds: int = 60
    refuses: bool = False
    beats: int = 0


@dataclass(slots=True)
class Outside:
    """Everybody outside.

    Attributes:
        said: the orders and requests sent to each execution.
        answers: what was answered to callbacks with their true token, by task id.
        changed: how often what is said twice has another body the second time.
    """

    world: World
    said: dict[str, list[Message]] = field(default_factory=dict)
    answers: dict[str, set[str]] = field(default_factory=dict)
    changed: float = 0.0
    _asked: set[str] = field(default_factory=set)
    _waiting: list[Message] = field(default_factory=list)
    _sent: int = 0

    def tell(self, message: Message, after: float) -> None:
        """Send a message after some seconds, and perhaps once more."""
        self.world.loop.call_later(after, self._tell, message)

    def insist(self) -> bool:
        """Say what could not be said yet; whether there is anything of that kind."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._tell(message)
        return bool(waiting)

    def ask(self, question: Question) -> None:
        """Hand a callback's token to somebody, who is told again if the message is repeated."""
        if question.token in self._asked:
            return
        self._asked.add(question.token)
        world, rng = self.world, self.world.rng
        execution_id, operation = read_token(question.token)
        pace = 20.0 * rng.uniform(0.5, 1.0)
        for beat in range(question.beats):
            message = Heartbeat(execution_id, operation, {"beat": beat}, token=question.token)
            self.tell(message, pace * (beat + 1))
        if question.seconds < 0:
            return
        after = pace * question.beats + question.seconds * rng.choice((0.0, rng.random(), 1.0))
        answers = [question.word]
        if rng.random() < AGAIN:
            answers.append(f"{question.word} again")
        for word in answers:
            self._answer(question, word, after)
            after += rng.choice((0.0, 1.0, 1_000.0))
        if rng.random() < AGAIN:
            self._forge(question, rng.random() * after)
        world.note("outside", f"will answer {execution_id}/{operation}")

    def _answer(self, question: Question, word: str, after: float) -> None:
        execution_id, operation = read_token(question.token)
        refusal = Failure("Declined", word, False) if question.refuses else None
        payload = None if question.refuses else word
        update = Update(execution_id, operation, payload, refusal, token=question.token)
        self.answers.setdefault(task_id(execution_id, operation), set()).add(render(update))
        self.tell(update, after)

    def _forge(self, question: Question, after: float) -> None:
        """Somebody without the token tries: by guessing, or with one for something else."""
        execution_id, operation = read_token(question.token)
        guessed = make_token("a guess", execution_id, operation)
        for token in ("", guessed, make_token("another", execution_id, f"{operation}1")):
            self.tell(Update(execution_id, operation, FORGED, token=token), after)
            self.tell(Heartbeat(execution_id, operation, FORGED, token=token), after)

    def _tell(self, message: Message, looks: int = 0) -> None:
        world, rng = self.world, self.world.rng
        if not finish(world.store.load(message.execution_id)).texts:
            if isinstance(world.store, RetainingStore) and world.store.history(
                message.execution_id
            ):
                return  # it has expired: the Client says that there is no such execution
            if looks < len(LOOKS):
                world.loop.call_later(LOOKS[looks], self._tell, message, looks + 1)
            else:
                self._waiting.append(message)
            return
        self._sent += 1
        self.said.setdefault(message.execution_id, []).append(message)
        world.note("outside", f"says {render(message)}")
        name = f"outside:{self._sent}"
        world.send(message, name)
        if rng.random() < AGAIN and (not isinstance(message, Pause | Resume) or message.id):
            after = rng.choice((0.1, 400.0))
            if rng.random() < self.changed and isinstance(message, Signal | UpdateRequest):
                message, after = replace(message, payload=CHANGED), 400.0
                world.seen["a message is repeated with another body"] += 1
            world.loop.call_later(after, world.send, message, f"{name}:again")


@dataclass(slots=True)
class Guest:
    """Somebody who has an execution's id; what they do begins once it does."""

    outside: Outside
    execution_id: str
    begins: float  # when the execution is started, in seconds of the loop
    _said: int = 0

    @property
    def rng(self) -> Random:
        """The seed's chance."""
        return self.outside.world.rng

    def signal(self, name: str, payload: Json, *, to: str = "", within: float = 600.0) -> None:
        """Send a signal at some moment."""
        self._say(lambda target, key: Signal(target, name, payload, key), to, within)

    def update(self, name: str, payload: Json, *, within: float = 600.0) -> None:
        """Ask for something at some moment."""
        self._say(lambda target, key: UpdateRequest(target, name, payload, key), "", within)

    def cancel(self, *, within: float = 600.0, grace: float = 300.0) -> None:
        """Cancel at some moment."""
        self._say(
            lambda target, key: Cancel(target, "changed my mind", round(1000 * grace), id=key),
            "",
            within,
        )

    def terminate(self, *, within: float = 600.0) -> None:
        """Terminate at some moment."""
        self._say(lambda target, key: Terminate(target, "enough", id=key), "", within)

    def pause(self, *, within: float = 600.0) -> None:
        """Pause at some moment, and resume some time later."""
        at = self._moment(within)
        known = self.rng.random() < 0.7
        self._said += 2
        keys = [f"{self.execution_id}#{self._said - n}" if known else "" for n in (1, 0)]
        self.outside.tell(Pause(self.execution_id, "lunch", keys[0]), at)
        later = at + self.rng.choice((0.0, 1.0, 60.0, 5_000.0))
        self.outside.tell(Resume(self.execution_id, keys[1]), later)

    def _say(self, make: Callable[[str, str], Message], to: str, within: float) -> None:
        target = to or self.execution_id
        self._said += 1
        self.outside.tell(make(target, f"{target}#{self._said}"), self._moment(within))

    def _moment(self, within: float) -> float:
        rng = self.rng
        return self.begins + rng.choice((0.0, 5.0 * rng.random(), within * rng.random()))


OUTSIDE: Final[ContextVar[Outside | None]] = ContextVar("OUTSIDE", default=None)
"""Whom the adapters and steps of the corpus hand their tokens to."""


def hand_out(question: Question) -> None:
    """Give a question to somebody outside; outside of the simulation nobody is there."""
    if (outside := OUTSIDE.get()) is not None:
        outside.ask(question)
