"""Answering callbacks from outside.

Laws
 1. Who holds a token may answer that one callback, once: what is wrong with a token or comes too
    late is told to the caller, and changes nothing.
 2. An answer is refused where it is given, if it is not of the type that the workflow declared.
 3. The last word is the execution's: it judges the message again when it takes it in.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from lambda_workflow.errors import (
    CallbackClosed,
    DecodeError,
    EncodeError,
    ExecutionClosed,
    InvalidToken,
    WorkflowError,
)
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.commands import OpenCallback
from lambda_workflow.model.events import Failure
from lambda_workflow.model.failures import as_details, clipped
from lambda_workflow.model.history import History
from lambda_workflow.model.ids import deduplication_id, run_of
from lambda_workflow.model.messages import Heartbeat, Update
from lambda_workflow.model.payload import Codec, Json, codec_for, fingerprint
from lambda_workflow.model.payload_schema import contradiction
from lambda_workflow.model.references import CLIENT_PLACE
from lambda_workflow.model.tokens import is_genuine, read_token
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.operations import Callback
from lambda_workflow.runtime.client_base import ClientBase, not_found
from lambda_workflow.runtime.lent import tools_for
from lambda_workflow.runtime.living import load_history
from lambda_workflow.runtime.offload import deposit, inflate

LOOKS: Final = 20  # for an execution whose first turn is being stored while its token is used
LOOK_SECONDS: Final = 0.05


class Callbacks(ClientBase):
    """See `Client`."""

    async def complete_callback(self, token: str, result: Any = None) -> None:
        """Answer a callback: `await` of it returns the result.

        It may come before the workflow awaits the callback, or while the turn that opens it is
        still under way. The same answer given again at once counts as one.

        Args:
            token: `callback.token`, as the workflow gave it out.
            result: a value of the type that `ctx.callback` declared, or the JSON of one.

        Raises:
            InvalidToken: it is none, or was not made by the execution that it names.
            CallbackClosed: it was answered, timed out, or the workflow has given it up.
            ExecutionClosed: the execution has ended.
            ExecutionNotFound: there is none, or it has expired.
            EncodeError: the result is of another type.
        """
        history, operation = await self._open_callback(token)
        codec = await self._codec_of(history, operation)
        with self._within():
            payload = _encoded(codec, result, f"answer to callback {operation}")
        if codec.type is Any:  # this App lacks the workflow's code
            _check_schema(history, operation, payload)
        kept = await deposit(payload, history.execution_id, self.backend.blobs, place=CLIENT_PLACE)
        dedup = _dedup(history, operation, fingerprint(payload))
        await self._send(Update(history.execution_id, operation, kept, token=token), dedup)

    async def fail_callback(
        self,
        token: str,
        type: str = "CallbackFailed",
        message: str = "",
        details: Any = None,
    ) -> None:
        """Answer a callback with an error: `await` of it raises CallbackFailed.

        Args:
            token: `callback.token`, as the workflow gave it out.
            type, message, details: of the error, as the workflow sees it; `details` is any JSON
                value.

        Raises:
            As `complete_callback`.
        """
        check_kind(type, str, "the error's type", "text, such as 'Declined'")
        check_kind(message, str, "the error's message", "text")
        history, operation = await self._open_callback(token)
        failure = Failure(type, clipped(message), False, as_details(details))
        dedup = _dedup(history, operation, fingerprint(failure.to_json()))
        update = Update(history.execution_id, operation, None, failure, token=token)
        await self._send(update, dedup)

    async def heartbeat(self, token: str, details: Any = None) -> None:
        """Say that somebody is at work on a callback's answer; see its `heartbeat_timeout`.

        Args:
            token: `callback.token`, as the workflow gave it out.
            details: any JSON value, for the history.

        Raises:
            As `complete_callback`.
        """
        history, operation = await self._open_callback(token)
        beat = Heartbeat(history.execution_id, operation, as_details(details), token=token)
        await self._send(beat)

    async def _open_callback(self, token: str) -> tuple[History, str]:
        """The history and operation of a token whose callback takes an answer."""
        execution_id, operation = read_token(token)
        history = await self._begun(execution_id)
        secret = history.started.options.secret if history.started else ""
        if not secret:
            raise InvalidToken(
                f"execution {execution_id} was started by a message without `options.secret`: no "
                "token of its callbacks can be told from a forged one; start it by `Client.start`"
            )
        if not is_genuine(token, secret, execution_id, operation):
            raise InvalidToken(
                f"this token was not made by execution {execution_id}, which it names: pass "
                "`callback.token` as it was given out"
            )
        if history.status.closed:
            raise ExecutionClosed(
                f"execution {execution_id} has ended ({history.status}): the answer to its "
                f"callback {operation} changes nothing"
            )
        if (reason := _why_closed(history, operation)) is not None:
            raise CallbackClosed(
                f"callback {_shown(history, operation)} of execution {execution_id} {reason}: "
                "the answer changes nothing"
            )
        return history, operation

    async def _begun(self, execution_id: str) -> History:
        for _ in range(LOOKS):
            history = await load_history(self.backend, execution_id)
            if history.turns:
                return history
            await asyncio.sleep(LOOK_SECONDS)
        raise not_found(execution_id)

    async def _codec_of(self, history: History, operation: str) -> Codec[Any]:
        """What the workflow declared, found by a replay; any JSON value where that cannot be."""
        started = history.started
        if started is None or operation not in history.open:
            return codec_for(Any)
        try:
            code = self.app.workflow(started.workflow, started.version)
            execution = Execution(
                code, history.execution_id, tools_for(self.app.owner_of(code.name))
            )
            try:
                execution.replay(await inflate(history.run_turns(), self.backend.blobs))
                found = execution.ledger.operations.get(operation)
            finally:
                execution.close()
        except WorkflowError:  # the deployment's trouble: the execution itself tells of it
            return codec_for(Any)
        return found.codec if isinstance(found, Callback) else codec_for(Any)


def _check_schema(history: History, operation: str, payload: Json) -> None:
    """Refuse what contradicts the schema that the execution keeps, for who has no code of it."""
    opened = history.opening(operation, OpenCallback)
    if opened is None or opened.schema is None:
        return
    told = contradiction(payload, opened.schema, f"answer to callback {operation}")
    if told is not None:
        raise EncodeError(f"{told}; nothing is changed")


def _encoded(codec: Codec[Any], result: Any, where: str) -> Json:
    """The JSON of a value, or a value that is the JSON of one."""
    try:
        return codec.encode(result, where)
    except EncodeError:
        try:
            value = codec.decode(codec_for(Any).encode(result, where), where)
        except (DecodeError, EncodeError):
            value = None
        if value is None:
            raise
    return codec.encode(value, where)


def _why_closed(history: History, operation: str) -> str | None:
    if history.started is not None and run_of(operation) != history.started.run.number:
        return "belongs to an earlier run"
    if operation in history.taken:
        return "has been answered already"
    if f"-{operation}" in history.taken:
        return "has timed out or was given up by the workflow"
    return None


def _shown(history: History, operation: str) -> str:
    opened = history.opening(operation, OpenCallback)
    return f"{opened.name!r} ({operation})" if opened is not None and opened.name else operation


def _dedup(history: History, operation: str, answer: str) -> str:
    return deduplication_id(history.execution_id, operation, "answer", answer)
