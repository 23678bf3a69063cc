"""Starting executions: once, at once or later, alone or with a first signal.

Laws
 1. What a start sends travels in one order to the execution's own queue, and is known by an id:
    sent again, it begins nothing new.
 2. Whether an id is free is asked of the store. Of two starts at one moment both may find it so;
    then the first to arrive begins, and the other changes nothing: see `sent_start`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack, cast, get_args

from lambda_workflow.errors import (
    ConfigurationError,
    ExecutionAlreadyStarted,
    ExecutionClosed,
    ResultTimeout,
)
from lambda_workflow.model import events as e
from lambda_workflow.model import messages as m
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.history import digest
from lambda_workflow.model.ids import check_execution_id, deduplication_id
from lambda_workflow.model.payload import Json, fingerprint
from lambda_workflow.model.references import CLIENT_PLACE
from lambda_workflow.model.signal import Signal, Update
from lambda_workflow.ports import SendMessage
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.handle import Handle
from lambda_workflow.runtime.living import load_history
from lambda_workflow.runtime.offload import deposit
from lambda_workflow.runtime.sent_start import OnConflict, SentStart
from lambda_workflow.runtime.start_options import (
    StartWith,
    begin_ms,
    checked_memo,
    checked_tags,
    timeout_ms,
)
from lambda_workflow.runtime.talk import Talk, asking, replied, send_once, telling

if TYPE_CHECKING:
    from lambda_workflow.runtime.client import Client

In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")
Req = TypeVar("Req")
Res = TypeVar("Res")

SIGNAL_FORM: Final = "the Signal and its payload: signal=(SIGNAL, payload)"


@dataclass(frozen=True, slots=True)
class Start:
    """One wish to start, checked and encoded."""

    execution_id: str
    workflow: str
    payload: Json
    options: e.StartOptions
    on_conflict: OnConflict
    is_new: bool  # its id is a random one
    told: m.Signal | m.UpdateRequest | None = None  # what goes with it
    is_known: bool = False  # the update may have been sent before

    @property
    def sent(self) -> SentStart:
        """What its handle keeps of it."""
        given, anew = self.on_conflict, self.is_new and self.on_conflict == "terminate_existing"
        return SentStart(
            self.execution_id, self.options.id, self.workflow, fingerprint(self.payload),
            "fail" if anew else given,
        )  # fmt: skip


class Starting(Talk):
    """See `Client`."""

    async def start(
        self,
        workflow: Workflow[In, Out],
        request: In,
        *,
        execution_id: str | None = None,
        on_conflict: OnConflict = "same_request",
        signal: tuple[Signal[T], T] | None = None,
        signal_id: str | None = None,
        execution_timeout: timedelta | None = None,
        delay: timedelta | None = None,
        start_at: datetime | None = None,
        tags: Mapping[str, str] | None = None,
        memo: Any = None,
    ) -> Handle[Out]:
        """Start an execution; starting it again with the same id and request changes nothing.

        Args:
            execution_id: up to 128 letters, digits and punctuation, not beginning with `blob:` or
                `task:`; a random one if not given.
            on_conflict: what to do where the id is known, be that execution running or ended.
                `same_request`: go on with it if it is of this workflow and request, else refuse.
                `use_existing`: go on with it whatever its request was. `fail`: refuse.
                `terminate_existing`: terminate it if it runs, and begin anew under its id; what the
                returned handle is asked is about the new one.
            signal: what the execution is told right after its start, or at once where it goes on
                with one that runs: `signal=(ADD_ITEM, item)`.
            signal_id: makes the signal one, however often it is sent; random if not given, or if
                the start terminates what is there.
            execution_timeout: after which it ends as TIMED_OUT, counted from when its code may
                begin, over all its runs; at most 366 days from the start.
            delay, start_at: when its code begins, at most 366 days ahead; give one of them. It can
                be signalled, cancelled and listed before.
            tags: up to 10 by which `list` finds it; names of up to 64 characters, texts of 128.
            memo: any value with a JSON form of up to 8 KiB; `describe` and `list` show it.

        Raises:
            EncodeError: request, signal or memo are not of their types.
            UnknownWorkflow: the App does not list the workflow, or has a newer version of it.
            ExecutionAlreadyStarted: the id is taken; see `on_conflict`. Where another start takes
                it at the same moment, the handle's methods raise this instead.
            ExecutionClosed: there is a signal, and the execution to go on with has ended.
            ConfigurationError, LimitExceeded: an option is wrong, or too large.
        """
        start = self._start_of(
            workflow,
            request,
            execution_id=execution_id,
            on_conflict=on_conflict,
            execution_timeout=execution_timeout,
            delay=delay,
            start_at=start_at,
            tags=tags,
            memo=memo,
        )
        if signal is not None:
            check_kind(signal, tuple, "signal", SIGNAL_FORM)
            # each start that replaces what is there has a signal of its own
            given = start.options.id if start.sent.replaces else signal_id
            with self._within():
                start = replace(start, told=telling(start.execution_id, *signal, given))
        sent = await self._begin(start)
        return Handle(cast("Client", self), start.execution_id, workflow, sent)

    async def start_with_update(
        self,
        workflow: Workflow[In, Out],
        request: In,
        update: Update[Req, Res],
        payload: Req,
        *,
        update_id: str | None = None,
        timeout: timedelta | None = None,
        **options: Unpack[StartWith],
    ) -> tuple[Handle[Out], Res]:
        """Start an execution and send it an update, in one request; returns handle and reply.

        Where `on_conflict` goes on with an execution that has the id, that one gets the update.

        Args:
            update_id: makes the update one, however often it is sent, and fetches the reply to an
                earlier one; random if not given, or if the start terminates what is there.
            timeout: how long to wait for the reply; for ever if not given.
            options: those of `start`, but `signal` and `signal_id`.

        Raises:
            ExecutionAlreadyStarted: the id is taken; the update was not sent, or not taken.
            UpdateRejected, ResultTimeout: as `update`.
            ExecutionClosed: the execution has ended without a reply.
            EncodeError, UnknownWorkflow, ConfigurationError, LimitExceeded: as `start`.
        """
        start = self._start_of(workflow, request, **options)
        given = start.options.id if start.sent.replaces else update_id
        with self._within():
            asked = asking(start.execution_id, update, payload, given)
        start = replace(start, told=asked, is_known=given is not None)
        sent = await self._begin(start)
        handle = Handle(cast("Client", self), start.execution_id, workflow, sent)
        if start.sent.replaces:
            await handle._begun(timeout)
        reply = await self._reply_to(asked, timeout, sent=sent)
        with self._within():
            return handle, replied(update, reply)

    def _start_of(
        self,
        workflow: Workflow[In, Any],
        request: In,
        *,
        execution_id: str | None = None,
        on_conflict: OnConflict = "same_request",
        execution_timeout: timedelta | None = None,
        delay: timedelta | None = None,
        start_at: datetime | None = None,
        tags: Mapping[str, str] | None = None,
        memo: Any = None,
    ) -> Start:
        check_kind(workflow, Workflow, "what to start", "a workflow, made by `@workflow`")
        self.app.check_newest(workflow)
        if on_conflict not in get_args(OnConflict):
            known = ", ".join(get_args(OnConflict))
            raise ConfigurationError(f"on_conflict={on_conflict!r}: use one of {known}")
        with self._within():
            payload = workflow.request_codec.encode(request, "request")
        now = self.backend.clock.now()
        not_before = begin_ms(now, delay, start_at)
        options = e.StartOptions(
            id=secrets.token_urlsafe(12),
            secret=secrets.token_urlsafe(16),
            timeout_ms=timeout_ms(now, execution_timeout, not_before),
            not_before=not_before,
            tags=checked_tags(tags or {}),
            memo=checked_memo(memo),
        )
        chosen, is_new = _chosen_id(execution_id, workflow.name), execution_id is None
        return Start(chosen, workflow.name, payload, options, on_conflict, is_new)

    async def _begin(self, start: Start) -> SentStart | None:
        """Send what the start needs; the start that its handle has to look for, if there is one."""
        sends: list[SendMessage] = []
        sent = start.sent
        if start.is_new or sent.replaces or not await self._is_present(start):
            sends.append(await self._request(start, replaces=sent.replaces))
        begins = bool(sends) and not start.is_new
        if (told := start.told) is not None:
            blobs = self.backend.blobs
            payload = await deposit(told.payload, start.execution_id, blobs, place=CLIENT_PLACE)
            told = replace(told, payload=payload, start=sent.key if begins else "")
            sends.append(send_once(told))
        if sends:
            await self.backend.queue.send_messages(sends)
        return sent if begins else None

    async def _request(self, start: Start, *, replaces: bool) -> SendMessage:
        execution_id, options = start.execution_id, start.options
        kept = await deposit(start.payload, execution_id, self.backend.blobs, place=CLIENT_PLACE)
        request = m.Request(execution_id, start.workflow, kept, options=options, replace=replaces)
        known = options.id if replaces else fingerprint([start.workflow, start.payload])
        return SendMessage(request, deduplication_id(execution_id, "start", known))

    async def _is_present(self, start: Start) -> bool:
        """Whether an execution that the start may go on with has the id already."""
        header = await self.backend.store.header(start.execution_id)
        if header is None:
            return False
        if start.on_conflict == "fail":
            raise ExecutionAlreadyStarted(
                f"execution id {start.execution_id} is taken by an execution of "
                f"{header.workflow!r} ({header.status}): choose another id, or another on_conflict"
            )
        if header.workflow != start.workflow or not await self._fits(start):
            raise ExecutionAlreadyStarted(
                f"execution id {start.execution_id} belongs to another workflow or another "
                "request: choose another id, or start with the same request"
            )
        if start.told is not None and header.status.closed and not start.is_known:
            kind = "signal" if isinstance(start.told, m.Signal) else "update"
            raise ExecutionClosed(
                f"execution {start.execution_id} has ended ({header.status}) and takes no {kind}; "
                "on_conflict='terminate_existing' begins anew"
            )
        return True

    async def _fits(self, start: Start) -> bool:
        if start.on_conflict == "use_existing":
            return True
        started = (await load_history(self.backend, start.execution_id)).started
        known = started and (started.run.origin or digest(started.request))
        return known == fingerprint(start.payload)

    async def _wait_begun(
        self, execution_id: str, start: str, timeout: timedelta | None = None
    ) -> None:
        """Wait until what a start has asked for has begun.

        Raises:
            ResultTimeout: it has not in time.
        """
        async for header in self._looks(execution_id, timeout):
            history = await load_history(self.backend, execution_id, whole=True)
            listed = header.turn if header else 0  # the listing must not show the one before
            turns = [turn for turn in history.turns if turn.number <= listed]
            starts = [one for turn in turns for one in turn.events if isinstance(one, e.Started)]
            if any(one.options.id == start for one in starts):
                return
        raise ResultTimeout(
            f"execution {execution_id} has not begun anew after {timeout}; ask again"
        )


def _chosen_id(execution_id: str | None, workflow: str) -> str:
    if execution_id is None:
        return check_execution_id(f"{workflow}-{secrets.token_hex(8)}")
    return check_execution_id(execution_id)  # an empty one is a slip, no wish for a random one
