"""Talking with a running workflow: signals, updates, queries.

Laws
 1. A signal and an update are messages, each known by an id: sent again, it is one.
 2. A query writes nothing and sends nothing: the code is replayed here, looked at, and dropped.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeVar, overload

from lambda_workflow.errors import (
    ConfigurationError,
    EncodeError,
    ExecutionClosed,
    ExecutionError,
    ResultTimeout,
    UpdateRejected,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model import messages as m
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.history import History, digest
from lambda_workflow.model.ids import check_text, deduplication_id
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import Json, fingerprint
from lambda_workflow.model.payload_schema import contradiction
from lambda_workflow.model.references import CLIENT_PLACE
from lambda_workflow.model.signal import Signal, Update, is_typed
from lambda_workflow.ports import Header, SendMessage
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.query import Query
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.client_base import not_found
from lambda_workflow.runtime.lent import tools_for
from lambda_workflow.runtime.living import load_history
from lambda_workflow.runtime.offload import deposit, fetch, inflate
from lambda_workflow.runtime.results import Results
from lambda_workflow.runtime.sent_start import SentStart

T = TypeVar("T")
Arg = TypeVar("Arg")
Req = TypeVar("Req")
Res = TypeVar("Res")

ID: Final = "its id; a Handle has it as `execution_id`"
LOOKS: Final = 20  # for an execution whose first turn is still to come
LOOK_SECONDS: Final = 0.05


class Talk(Results):
    """See `Client`."""

    async def signal(
        self, execution_id: str, signal: Signal[T], payload: T, *, id: str | None = None
    ) -> None:
        """Tell a workflow something; it is kept, in order, until the workflow takes it.

        Args:
            id: makes it one signal, however often it is sent; random if not given.

        Raises:
            EncodeError: the payload is not of the signal's type.
            ExecutionNotFound: there is none of this id.
            ExecutionClosed: it has ended.
        """
        with self._within():
            message = telling(execution_id, signal, payload, id)
        await self._signal(message)

    async def update(
        self,
        execution_id: str,
        update: Update[Req, Res],
        payload: Req,
        *,
        timeout: timedelta | None = None,
        id: str | None = None,
    ) -> Res:
        """Ask a workflow for something, and wait for its reply.

        Args:
            timeout: how long to wait; for ever if not given. The workflow may reply all the same.
            id: makes it one request, however often it is sent, and fetches the reply to an earlier
                one; random if not given.

        Raises:
            EncodeError: the payload is not of the update's request type.
            UpdateRejected: the workflow refused, could not read the payload (type `DecodeError`),
                or took it and continued as new before it had replied (type `RunEnded`).
            ExecutionNotFound: there is none of this id.
            ExecutionClosed: it has ended without a reply.
            ResultTimeout: there was no reply in time.
        """
        with self._within():
            request = asking(execution_id, update, payload, id)
        reply = await self._update(request, timeout, is_known=id is not None)
        with self._within():
            return replied(update, reply)

    @overload
    async def query(self, execution_id: str, query: Query[None, Res]) -> Res: ...
    @overload
    async def query(self, execution_id: str, query: Query[Arg, Res], argument: Arg) -> Res: ...
    async def query(self, execution_id: str, query: Query[Any, Any], argument: Any = None) -> Any:
        """Ask a query of a workflow's code, in this process, by a replay that changes nothing.

        The App of this client must have the workflow. What the query function raises is raised.
        An execution that has ended can be asked as long as its history is kept; one that is PAUSED
        answers as of then.

        Raises:
            EncodeError, DecodeError: argument or answer are not of their types.
            ExecutionNotFound: there is none of this id.
            ExecutionError: the execution is BLOCKED, or its request cannot be read.
            ConfigurationError: the query is of another workflow.
            NonDeterminismError: this process has code that does not fit the history.
            WorkflowError: the query function tries to change something.
        """
        check_kind(query, Query, "what to ask", "a function that `@flow.query` has made one")
        history = await load_history(self.backend, execution_id)
        code = self._code_of(history)
        asked = code.queries.get(query.name)
        if asked is None or query.workflow != code.name:
            raise _no_query(history, repr(query), code)
        with self._within():
            encoded = asked.encode(argument)
        answer = await self._ask(history, asked, encoded)
        with self._within():
            return asked.decode(answer)

    async def query_by_name(self, execution_id: str, query: str, argument: Json = None) -> Json:
        """As `query`, by the query's name, with argument and answer as JSON."""
        history = await load_history(self.backend, execution_id)
        code = self._code_of(history)
        asked = code.queries.get(query)
        if asked is None:
            raise _no_query(history, f"query {query!r}", code)
        return await self._ask(history, asked, argument)

    def _code_of(self, history: History) -> Workflow[Any, Any]:
        started = history.started
        if started is None:
            raise not_found(history.execution_id)
        return self.app.workflow(started.workflow, started.version)

    async def _ask(self, history: History, query: Query[Any, Any], argument: Json) -> Json:
        execution_id, turns = history.execution_id, history.run_turns()
        code = self._code_of(history)
        while turns and turns[-1].status.stalled:
            turns.pop()  # its facts have had no effect yet
        if history.status is Status.BLOCKED or not turns:
            raise ExecutionError(
                f"execution {execution_id} is {history.status} and cannot be queried: "
                f"{history.turns[-1].reason}"
            )
        execution = Execution(code, execution_id, tools_for(self.app.owner_of(code.name)))
        try:
            execution.replay(await inflate(turns, self.backend.blobs))
            if execution.context is None:
                raise ExecutionError(
                    f"execution {execution_id} cannot be queried: its request could not be read"
                )
            answers: list[Json] = []

            def ask() -> None:
                with self._within():
                    answers.append(query.ask(execution, argument))

            if (cut := execution.watched(ask)) is not None:
                raise cut
            return answers[0]
        finally:
            execution.close()

    async def _signal(self, signal: m.Signal, *, is_started: bool = False) -> None:
        execution_id = signal.execution_id
        header = await self._found(execution_id, is_started=is_started)
        if header is not None and header.status.closed:
            raise _closed(execution_id, header.status, f"takes no signal {signal.name!r}")
        if header is not None and not signal.checked:
            await self._check_declared("signal", signal)
        blobs = self.backend.blobs
        payload = await deposit(signal.payload, execution_id, blobs, place=CLIENT_PLACE)
        await self.backend.queue.send_messages([send_once(replace(signal, payload=payload))])

    async def _update(
        self,
        request: m.UpdateRequest,
        timeout: timedelta | None,
        *,
        is_known: bool = False,
        is_started: bool = False,
    ) -> Json:
        """Ask, and wait for the reply; `is_known` if it may have been asked before."""
        execution_id = request.execution_id
        header = await self._found(execution_id, is_started=is_started)
        if header is None or not header.status.closed:
            if header is not None and not request.checked:
                await self._check_declared("update", request)
            blobs = self.backend.blobs
            payload = await deposit(request.payload, execution_id, blobs, place=CLIENT_PLACE)
            await self.backend.queue.send_messages([send_once(replace(request, payload=payload))])
        elif not is_known:
            raise _closed(execution_id, header.status, f"takes no update {request.name!r}")
        seen = 0 if header is None or is_known else header.turn
        return await self._reply_to(request, timeout, seen=seen)

    async def _check_declared(self, kind: str, message: m.Signal | m.UpdateRequest) -> None:
        """Refuse what contradicts the type that the code has declared: this client has none."""
        history = await load_history(self.backend, message.execution_id)
        declared = _declared(history, kind, message.name)
        if declared is None or f"{kind}:{message.id}" in history.taken:
            return
        told = contradiction(message.payload, declared.schema, f"{kind} {message.name}")
        if told is not None:
            raise EncodeError(f"{told}; nothing is changed")

    async def _reply_to(
        self,
        request: m.UpdateRequest,
        timeout: timedelta | None,
        *,
        seen: int = 0,
        sent: SentStart | None = None,
    ) -> Json:
        """Wait for the reply: in a turn after `seen`, of the execution that `sent` has begun."""
        execution_id, header = request.execution_id, None
        async for header in self._looks(execution_id, timeout):
            if header is None or header.turn <= seen:
                continue
            seen = header.turn
            if sent is not None and await sent.is_accepted(self.backend):
                sent = None
            history = await load_history(self.backend, execution_id, whole=True)
            if (answer := _answer(history, request)) is not None:
                return await self._reply(answer, request)
        state = "has not begun" if header is None else f"is {header.status}"
        raise ResultTimeout(
            f"no reply to update {request.name!r} {request.id} after {timeout}; execution "
            f"{execution_id} {state} and may still reply: ask again with id={request.id!r}"
        )

    async def _reply(self, answer: c.Answer, request: m.UpdateRequest) -> Json:
        if (failure := answer.failure) is None:
            return await fetch(answer.payload, self.backend.blobs)
        raise UpdateRejected(
            f"execution {request.execution_id} refused update {request.name!r}: {failure.message}",
            type=failure.type,
            message=failure.message,
            details=failure.details,
        )

    async def _found(self, execution_id: str, *, is_started: bool) -> Header | None:
        """The header; None only of an execution that is known to have been started."""
        for look in range(1 if is_started else LOOKS):
            if look:
                await self._pause(execution_id, LOOK_SECONDS)
            if (header := await self.backend.store.header(execution_id)) is not None:
                return header
        if not is_started:
            raise not_found(execution_id)
        return None


def _answer(history: History, request: m.UpdateRequest) -> c.Answer | None:
    """The reply to an update, or why there will be none; None while it may still come.

    Raises:
        ExecutionClosed: the execution has ended without a reply.
    """
    is_asked = False
    for turn in history.turns:
        is_asked |= any(
            isinstance(event, e.UpdateRequested) and event.id == request.id for event in turn.events
        )
        for command in turn.commands:
            if isinstance(command, c.Answer) and command.id == request.id:
                return command
            if (
                is_asked
                and isinstance(command, c.ContinueAsNew)
                and request.id
                not in {told.id for told in command.untaken if isinstance(told, e.UpdateRequested)}
            ):
                words = "it continued as new without a reply: ask again"
                return c.Answer(request.id, None, e.Failure("RunEnded", words))
        if turn.status.closed and (is_asked or turn is history.turns[-1]):
            raise _closed(request.execution_id, turn.status, f"did not reply to {request.name!r}")
    return None


def _declared(history: History, kind: str, name: str) -> c.Declare | None:
    """How the present run's code reads the signals or updates of a name."""
    for turn in reversed(history.run_turns()):
        for command in turn.commands:
            if isinstance(command, c.Declare) and (command.kind, command.name) == (kind, name):
                return command
    return None


def _no_query(history: History, query: str, code: Workflow[Any, Any]) -> ConfigurationError:
    return ConfigurationError(
        f"execution {history.execution_id} of {code.name!r} has no {query}; its code has "
        f"{', '.join(sorted(code.queries)) or 'none'}"
    )


def _closed(execution_id: str, status: Status, what: str) -> ExecutionClosed:
    return ExecutionClosed(f"execution {execution_id} has ended ({status}): it {what}")


def send_once(message: m.Signal | m.UpdateRequest) -> SendMessage:
    """A signal or an update on its way; sent again, it is one."""
    kind = "signal" if isinstance(message, m.Signal) else "update"
    # a queue must not drop another message that has the same id
    contents = fingerprint([message.name, digest(message.payload)])
    known = deduplication_id(message.execution_id, kind, message.id, contents)
    return SendMessage(message, known)


def telling(execution_id: str, signal: Signal[T], payload: T, id: str | None) -> m.Signal:
    """The message of a signal."""
    check_kind(execution_id, str, "the execution to signal", ID)
    check_kind(signal, Signal, "what to tell it", "a Signal, which has a name and a type")
    given = check_text("id", id) if id else secrets.token_urlsafe(12)
    accepted, checked = signal.accepts(payload), is_typed(signal.codec.type)
    return m.Signal(execution_id, signal.name, accepted, given, checked=checked)


def asking(
    execution_id: str, update: Update[Req, Any], payload: Req, id: str | None
) -> m.UpdateRequest:
    """The message of an update."""
    check_kind(execution_id, str, "the execution to ask", ID)
    check_kind(update, Update, "what to ask it", "an Update, which has a name and two types")
    given = check_text("id", id) if id else secrets.token_urlsafe(12)
    accepted, checked = update.accepts(payload), is_typed(update.request_codec.type)
    return m.UpdateRequest(execution_id, update.name, accepted, given, checked=checked)


def replied(update: Update[Any, Res], reply: Json) -> Res:
    """The reply of its type."""
    decoded: Res = update.response_codec.decode(reply, f"response of {update.name}")
    return decoded
