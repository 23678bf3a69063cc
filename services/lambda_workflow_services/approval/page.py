"""The page behind the links: shows a question, and takes the decision.

Laws
 1. GET and HEAD decide nothing: programs that look after mail open every link in it.
 2. A link decides once. The decision is kept first, passed on then, and marked as passed on last:
    whatever breaks off in between, the next request of the link goes on from there.
 3. A decision is what its form said, and stays it: the same form again changes nothing, another
    one is told so.
 4. Without its signature a link shows nothing, not even whether there is a question.
 5. There is no cookie: no browser carries a right that another site's page could use. A form has a
    nonce of its link all the same, and browsers must say that it comes from this very site: so the
    page can stand behind a sign-in that does have cookies.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from lambda_workflow.aws.backend import SystemClock
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.entry import Event, Handler, entry
from lambda_workflow.aws.sqs import Entry, send_batch
from lambda_workflow.errors import BackendError
from lambda_workflow.model.ids import deduplication_id
from lambda_workflow.model.messages import Update
from lambda_workflow.model.payload import codec_for, fingerprint
from lambda_workflow.model.tokens import read_token
from lambda_workflow.model.wire import render
from lambda_workflow.ports import Clock
from lambda_workflow_services.approval import (
    COMMENT_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    Choice,
    Decision,
    views,
)
from lambda_workflow_services.approval.links import is_same, read_code
from lambda_workflow_services.approval.record import Record, Table
from lambda_workflow_services.approval.requests import (
    Request,
    Unreadable,
    answer_of,
    read_request,
)
from lambda_workflow_services.approval.settings import Settings, read_settings
from lambda_workflow_services.approval.views import Typed, View, plain
from lambda_workflow_services.approval.words import WORDS

_METHODS: Final = ("GET", "HEAD", "POST")
_log = logging.getLogger("lambda_workflow")


class Page:
    """The pages of all questions."""

    def __init__(self, aws: Aws, settings: Settings, clock: Clock) -> None:
        self._aws = aws
        self._settings = settings
        self._table = Table(aws, settings.table)
        self._now = clock.now

    async def answer(self, event: Event) -> dict[str, Any]:
        """The response to a request."""
        try:
            view = await self._view(read_request(event))
        except Unreadable as refused:
            view = views.refusal(refused.status)
        except BackendError:
            _log.exception("a request could not be answered")
            view = views.refusal(503)
        return answer_of(view, event)

    async def _view(self, request: Request) -> View:
        code = request.path.removeprefix(self._settings.path)
        if code == request.path or (id_ := read_code(code)) is None:
            raise Unreadable(404)
        if request.method not in _METHODS:
            raise Unreadable(405)
        record = await self._table.get(id_)
        if record is None or not is_same(code, record.code):  # law 4
            raise Unreadable(404)
        if request.method == "POST":
            return await self._post(request, record)
        return await self._get(request, record)

    async def _get(self, request: Request, record: Record) -> View:
        if record.decision is not None and not await self._tell(record, record.decision):
            return views.unsent(record)
        if record.expires <= self._now():
            return views.expired(record)
        if record.decision is None:
            return views.question(record)
        return views.decided(record, record.decision, thanks=request.done)

    async def _post(self, request: Request, record: Record) -> View:
        fields = request.form()
        if request.is_foreign(self._settings.origin) or not is_same(
            fields.get("form", ""), record.nonce
        ):
            return views.foreign(record)
        read = _read(fields, record, self._now())
        if record.decision is None and record.expires > self._now():
            if isinstance(read, Typed):
                return views.question(record, read)
            kept = await self._table.decide(record, read, self._now())
            if kept is None:
                raise Unreadable(404)
            record = kept
        if record.decision is None:
            return views.expired(record)
        if not await self._tell(record, record.decision):
            return views.unsent(record)
        if isinstance(read, Decision) and _content(read) == _content(record.decision):
            return views.led_back()
        if record.expires <= self._now():
            return views.expired(record)
        return views.decided(record, record.decision, thanks=False, refused=True)

    async def _tell(self, record: Record, decision: Decision) -> bool:
        """Law 2: answer the callback, unless that has been done; False if it could not be."""
        if record.told:
            return True
        execution_id, operation = read_token(record.token)
        payload = codec_for(Decision).encode(decision)
        update = Update(execution_id, operation, payload, token=record.token)
        dedup = deduplication_id(execution_id, operation, "answer", fingerprint(payload))
        try:
            entries = [Entry(render(update), execution_id, dedup)]
            await send_batch(self._aws, record.queue_url, entries)
        except BackendError:
            _log.exception("the answer to %s of %s is not sent yet", operation, execution_id)
            return False
        _log.info("%s of %s is answered: %s", operation, execution_id, decision.choice)
        try:
            await self._table.tell(record)
        except BackendError as error:
            _log.warning("the next look at %s sends its answer again: %s", record.id, error)
        return True


def _read(fields: dict[str, str], record: Record, now: int) -> Decision | Typed:
    """The decision in a form, or the form as it must come back."""
    words = WORDS[record.shown.language]
    comment = plain(fields.get("comment", "").replace("\r\n", "\n")).strip()
    by = " ".join(plain(fields.get("by", "")).split())
    choice = _chosen(fields.get("choice", ""), record)
    if len(comment) > COMMENT_CHARACTERS_MAX:
        return Typed(comment, by, words.comment_text, "comment")
    if len(by) > NAME_CHARACTERS_MAX:
        return Typed(comment, by, words.name_text, "by")
    if choice is None:
        return Typed(comment, by, words.no_choice_text)
    at = datetime.fromtimestamp(now / 1000, UTC)
    return Decision(choice.approves, choice.value, comment, by, at)


def _chosen(value: str, record: Record) -> Choice | None:
    return next((c for c in record.shown.choices if c.value == value), None)


def _content(decision: Decision) -> tuple[str, str, str]:
    return decision.choice, decision.comment, decision.by


def page_handler(*, clock: Clock | None = None) -> Handler:
    """The entry point of the page's Lambda function."""

    def make() -> Page:
        return Page(Aws(), read_settings(), clock or SystemClock())

    return _entry(make)


def _entry(make: Callable[[], Page]) -> Handler:
    return entry(make, lambda page, event, _: page.answer(event))


handler = page_handler()
