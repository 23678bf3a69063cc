"""Starting executions: once, at once or later, alone or with a first signal.

Laws
 1. What a start sends travels in one order to the execution's own queue, and is known by an id:
    sent again, it begins nothing new.
 2. Whether an id is free is asked of the store. Of two starts at one moment both may find it so;
    then the first to arrive begins, and the other changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast, get_args

from lambda_workflow.errors import (
    ConfigurationError,
    ExecutionAlreadyStarted,
    ExecutionClosed,
    LimitExceeded,
    ResultTimeout,
)
from lambda_workflow.model import events as e
from lambda_workflow.model import messages as m
from lambda_workflow.model.arguments import check_duration, check_kind, check_moment
from lambda_workflow.model.history import digest
from lambda_workflow.model.ids import check_execution_id, deduplication_id
from lambda_workflow.model.payload import Json, codec_for, dumps, fingerprint
from lambda_workflow.model.signal import Signal
from lambda_workflow.ports import SendMessage
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.handle import Handle
from lambda_workflow.runtime.living import load_history
from lambda_workflow.runtime.offload import deposit
from lambda_workflow.runtime.results import Results
from lambda_workflow.runtime.talk import signal_send, telling

if TYPE_CHECKING:
    from lambda_workflow.runtime.client import Client

In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")
OnConflict = Literal["same_request", "use_existing", "fail", "terminate_existing"]

YEAR: Final = timedelta(days=366)  # hosts keep timers for a little longer than this
SIGNAL_FORM: Final = "the Signal and its payload: signal=(SIGNAL, payload)"
TAGS_MAX: Final = 10  # they travel in every listing
TAG_NAME_CHARACTERS_MAX: Final = 64
TAG_CHARACTERS_MAX: Final = 128
MEMO_BYTES_MAX: Final = 8 * 1024  # as JSON; it stands in the listing, beside a record


@dataclass(frozen=True, slots=True)
class Start:
    """One wish to start, checked and encoded."""

    execution_id: str
    workflow: str
    payload: Json
    options: e.StartOptions
    on_conflict: OnConflict
    signal: m.Signal | None


class Starting(Results):
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
            ExecutionAlreadyStarted: the id is taken; see `on_conflict`.
            ExecutionClosed: there is a signal, and the execution to go on with has ended.
            ConfigurationError, LimitExceeded: an option is wrong, or too large.
        """
        check_kind(workflow, Workflow, "what to start", "a workflow, made by `@workflow`")
        self.app.check_newest(workflow)
        if on_conflict not in get_args(OnConflict):
            known = ", ".join(get_args(OnConflict))
            raise ConfigurationError(f"on_conflict={on_conflict!r}: use one of {known}")
        payload = workflow.request_codec.encode(request, "request")
        chosen = _chosen_id(execution_id, workflow.name)
        not_before = self._not_before(delay, start_at)
        options = e.StartOptions(
            id=secrets.token_urlsafe(12),
            secret=secrets.token_urlsafe(16),
            timeout_ms=self._timeout_ms(execution_timeout, not_before),
            not_before=not_before,
            tags=_checked_tags(tags or {}),
            memo=_checked_memo(memo),
        )
        told = None
        if signal is not None:
            anew = on_conflict == "terminate_existing"  # each such start has a signal of its own
            check_kind(signal, tuple, "signal", SIGNAL_FORM)
            told = telling(chosen, *signal, options.id if anew else signal_id)
        start = Start(chosen, workflow.name, payload, options, on_conflict, told)
        begun_by = await self._begin(start, is_new=execution_id is None)
        return Handle(cast("Client", self), chosen, workflow, begun_by)

    async def _begin(self, start: Start, *, is_new: bool) -> str:
        """Send what the start needs; the start to wait for before anything else is asked."""
        replaces = start.on_conflict == "terminate_existing" and not is_new
        sends: list[SendMessage] = []
        if is_new or replaces or not await self._is_present(start):
            sends.append(await self._request(start, replaces=replaces))
        if (signal := start.signal) is not None:
            payload = await deposit(signal.payload, start.execution_id, self.backend.blobs)
            sends.append(signal_send(replace(signal, payload=payload)))
        if sends:
            await self.backend.queue.send_messages(sends)
        return start.options.id if replaces else ""

    async def _request(self, start: Start, *, replaces: bool) -> SendMessage:
        execution_id, options = start.execution_id, start.options
        kept = await deposit(start.payload, execution_id, self.backend.blobs)
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
        if start.signal is not None and header.status.closed:
            raise ExecutionClosed(
                f"execution {start.execution_id} has ended ({header.status}) and takes no signal; "
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

    def _not_before(self, delay: timedelta | None, start_at: datetime | None) -> int:
        now = self.backend.clock.now()
        if start_at is not None:
            if delay is not None:
                raise ConfigurationError("start: give `delay` or `start_at`, not both")
            check_moment(start_at, "start_at")
            delay = max(timedelta(0), start_at - datetime.fromtimestamp(now / 1000, UTC))
        if delay is None:
            return 0
        check_duration(delay, "delay")
        if not timedelta(0) <= delay <= YEAR:
            raise ConfigurationError(f"delay={delay}: it must be between nothing and 366 days")
        return now + round(delay / timedelta(milliseconds=1)) if delay else 0

    def _timeout_ms(self, timeout: timedelta | None, not_before: int) -> int:
        if timeout is None:
            return 0
        check_duration(timeout, "execution_timeout")
        span = round(timeout / timedelta(milliseconds=1))
        ahead = max(0, not_before - self.backend.clock.now())
        if span <= 0 or timedelta(milliseconds=span + ahead) > YEAR:
            raise ConfigurationError(
                f"execution_timeout={timeout}: it must be at least a millisecond, and end within "
                "366 days of the start"
            )
        return span


def _chosen_id(execution_id: str | None, workflow: str) -> str:
    if execution_id is None:
        return check_execution_id(f"{workflow}-{secrets.token_hex(8)}")
    return check_execution_id(execution_id)  # an empty one is a slip, no wish for a random one


def _checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    check_kind(tags, Mapping, "tags", "texts by name, such as {'team': 'blue'}")
    if len(tags) > TAGS_MAX:
        raise LimitExceeded(
            f"{len(tags)} tags: the limit is {TAGS_MAX}; put the rest into the memo"
        )
    for name, text in tags.items():
        both: tuple[object, object] = (name, text)  # a number is an easy mistake
        if not all(isinstance(one, str) for one in both):
            raise ConfigurationError(f"tag {name!r}: {text!r}: name and text must be strings")
        if not 0 < len(name) <= TAG_NAME_CHARACTERS_MAX or len(text) > TAG_CHARACTERS_MAX:
            raise LimitExceeded(
                f"tag {name!r:.100}: its name may have 1 to {TAG_NAME_CHARACTERS_MAX} characters, "
                f"its text up to {TAG_CHARACTERS_MAX}"
            )
    return dict(tags)


def _checked_memo(memo: Any) -> Json:
    if memo is None:
        return None
    value = codec_for(type(memo)).encode(memo, "memo")
    if (size := len(dumps(value).encode())) > MEMO_BYTES_MAX:
        raise LimitExceeded(
            f"a memo of {size} bytes: the limit is {MEMO_BYTES_MAX}; it stands in every listing"
        )
    return value
