"""A service's part of a stack: its queue and function, and what its adapter needs beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lambda_workflow.aws.config import PREFIX
from lambda_workflow.aws.synth import rights, timing
from lambda_workflow.aws.synth.choices import Choices
from lambda_workflow.aws.synth.functions import Making, trigger
from lambda_workflow.aws.synth.handlers import page_handler_of, service_handler_of
from lambda_workflow.aws.synth.names import INBOX, TABLE, service_id
from lambda_workflow.aws.synth.needs import Events, OwnTable, Page
from lambda_workflow.aws.synth.options import ServiceOptions
from lambda_workflow.aws.synth.placeholders import Scope
from lambda_workflow.aws.synth.resources import (
    FunctionUrl,
    Output,
    Permission,
    Queue,
    Resource,
    Rule,
    Statement,
    Table,
    Target,
)
from lambda_workflow.aws.synth.values import Because, Ref, Value, named
from lambda_workflow.aws.timers import DELAY_SECONDS_MAX
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.ids import BLOB_PREFIX, TASK_PREFIX
from lambda_workflow.model.references import service_place
from lambda_workflow.model.service import Service


@dataclass(frozen=True)
class ServiceParts:
    """The resources of one service."""

    chosen: Choices
    service: Service[Any, Any]

    @property
    def name(self) -> str:
        """The service's."""
        return self.service.name

    @cached_property
    def own(self) -> ServiceOptions:
        """What was chosen for it."""
        return self.chosen.needs.services[self.name]

    def id(self, part: str) -> str:
        """The id of a part."""
        return service_id(self.name, part)

    def resources(self) -> Iterator[Resource]:
        """All of them."""
        yield from self._queues()
        if self.own.table:
            yield self._table(self.own.table)
        yield from self._function()
        if self.own.page:
            yield from self._page(self.own.page)
        if self.own.events:
            yield from self._events(self.own.events)

    def outputs(self) -> Iterator[Output]:
        """What whoever deploys it wants to know."""
        about = f"Of service {self.name!r}, for stacks that call it."
        yield Output(f"{self.id('queue')}-arn", about, Ref(self.id("queue"), "arn"))
        if self.own.page:
            about = f"Where the page of service {self.name!r} is."
            yield Output(self.id("page-url"), about, Ref(self.id("page-url"), "url"))

    @property
    def _place(self) -> str:
        """Where its adapter stores large results; no other may write there."""
        return service_place(self.name)

    @property
    def _seconds(self) -> Because:
        return timing.service_timeout(self.service, self.own.timeout)

    def _queues(self) -> Iterator[Queue]:
        queue, dead = self.id("queue"), self.id("dead-letters")
        suffix = f"-service-{self.name}"
        why = f"Tasks of {self.name!r} that were never done."
        yield self.chosen.dead(dead, f"{suffix}-dead", why)
        yield Queue(
            id=queue,
            why=f"Tasks of service {self.name!r}.",
            name=named(suffix),
            retention_seconds=timing.KEPT,
            visibility_seconds=timing.visibility(self._seconds.value),
            receives=timing.receives(timing.SERVICE_OUTAGE_SECONDS),
            dead_letters=dead,
            delay_seconds=DELAY_SECONDS_MAX if self.own.later else 0,
            kms_key=self.chosen.key,
        )

    def _table(self, table: OwnTable) -> Table:
        keys = {"HASH": table.key} | ({"RANGE": table.sort} if table.sort else {})
        return Table(
            id=self.id("table"),
            why=f"What service {self.name!r} keeps. It outlives the stack.",
            name=named(f"-service-{self.name}"),
            definition={
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"} for name in keys.values()
                ],
                "KeySchema": [
                    {"AttributeName": name, "KeyType": kind} for kind, name in keys.items()
                ],
            },
            recovery=self.chosen.options.recovery,
            protected=self.chosen.options.deletion_protection,
            kms_key=self.chosen.key,
        )

    def _scope(self, part: str = "") -> Scope:
        """What the needs may name; a page cannot be told its own URL, which comes after it."""
        own = {"Queue.Arn": Ref(self.id("queue"), "arn"), "Queue.Url": Ref(self.id("queue"), "url")}
        if self.own.table:
            own["Table.Name"] = Ref(self.id("table"), "name")
            own["Table.Arn"] = Ref(self.id("table"), "arn")
        if self.own.page and not part:
            own["Page.Url"] = Ref(self.id("page-url"), "url")
        return Scope(f"[service.{self.name}{part}]", self.chosen.needs.parameters, own)

    def _inboxes(self) -> list[Target]:
        """Where results go."""
        return [*([Ref(INBOX, "arn")] if self.chosen.uses.workflows else []), *self.chosen.callers]

    def _function(self) -> Iterator[Resource]:
        own, options, scope = self.own, self.chosen.options, self._scope()
        queue, dead = self.id("queue"), self.id("dead-letters")
        targets = [*self._inboxes(), Ref(dead, "arn")]
        environment: dict[str, Value] = {"DLQ_URL": Ref(dead, "url")}
        if own.later:
            environment["SERVICE_QUEUE_URL"] = Ref(queue, "url")
            targets.append(Ref(queue, "arn"))
        statements = [rights.consume(queue), rights.send(targets)]
        prefixes = [TASK_PREFIX] if options.deduplicate else []
        if bucket := self.chosen.bucket:
            environment["BUCKET"] = bucket
            statements += rights.placed_payloads(bucket, self._place)
        elif self.chosen.has_table:
            prefixes.append(BLOB_PREFIX)
        if prefixes:
            environment["TABLE"] = Ref(TABLE, "name")
            own_keys = [f"{prefix}{self._place}/" for prefix in prefixes]
            statements += rights.items(TABLE, prefixes, own_keys)
        if options.deduplicate:
            environment["DEDUPLICATE"] = "1"
        if own.events:
            environment["SERVICE"] = self.name
        if own.table and own.table.actions:
            statements.append(rights.own_table(self.id("table"), own.table.actions))
        statements += [*self.chosen.key_right, *scope.statements(own.rights)]
        variables = {PREFIX + key: value for key, value in environment.items()}
        variables |= scope.variables(own.environment)
        made = Making(options, f"service-{self.name}", own, self._seconds)
        handler = service_handler_of(self.chosen.address, own.handler)
        why = f"Does the work of service {self.name!r} and posts the result."
        yield from made.parts(handler, why, variables, statements)
        about = self.id("trigger"), f"Tasks of {self.name!r}."
        yield trigger(own, self.id("function"), queue, about)

    def _page_rights(self, page: Page, scope: Scope) -> Iterator[Statement]:
        if page.posts_results:
            yield rights.send(self._inboxes())
        if page.large_results:
            bucket = self.chosen.bucket
            if not bucket and not self.chosen.has_table:
                raise ConfigurationError(
                    f"service {self.name!r}: its page stores large results, and there is no place: "
                    "write bucket = true into the options, or shared_bucket = true"
                )
            if bucket:
                yield rights.deposits(bucket, self._place)
            else:
                yield rights.chunks(TABLE, self._place)
        if page.table_actions:
            yield rights.own_table(self.id("table"), page.table_actions)
        if page.posts_results or page.table_actions:
            yield from self.chosen.key_right
        yield from scope.statements(page.rights)

    def _page_variables(self, page: Page, scope: Scope) -> dict[str, Value]:
        stored: dict[str, Value] = {}
        if page.large_results and self.chosen.bucket:
            stored[f"{PREFIX}BUCKET"] = self.chosen.bucket
        elif page.large_results:
            stored[f"{PREFIX}TABLE"] = Ref(TABLE, "name")
        return stored | scope.variables(page.environment)

    def _page(self, page: Page) -> Iterator[Resource]:
        scope, function = self._scope(".page"), self.id("page-function")
        seconds = Because(page.timeout, "Somebody waits for it before a screen.")
        made = Making(self.chosen.options, f"service-{self.name}-page", page, seconds)
        handler = page_handler_of(self.name, page.handler)
        why = f"The page of service {self.name!r}, for whoever has a link to it."
        granted = self._page_rights(page, scope)
        yield from made.parts(handler, why, self._page_variables(page, scope), granted)
        yield FunctionUrl(
            id=self.id("page-url"),
            why="Asks nobody who they are: links are opened in browsers, and the page must know "
            "what is in them.",
            function=function,
        )
        for part, direct, why in (
            ("page-url-permission", False, "Everybody may open the URL."),
            ("page-permission", True,
             "A URL needs this, too, since October 2025: by the URL, and in no other way."),
        ):  # fmt: skip
            yield Permission(id=self.id(part), why=why, function=function, direct=direct)

    def _events(self, events: Events) -> Iterator[Resource]:
        scope = self._scope(".events")
        pattern = scope.text(events.pattern)
        if isinstance(pattern, str):
            _check_pattern(scope.where, pattern)
        yield Rule(
            id=self.id("rule"),
            why=f"Events that service {self.name!r} waits for.",
            name=named(f"-service-{self.name}"),
            bus=scope.text(events.bus),
            pattern=pattern,
            queue=self.id("queue"),
            dead_letters=self.id("dead-letters"),
            unless_empty=scope.unless_empty(events.bus, events.pattern),
        )


def _check_pattern(where: str, pattern: str) -> None:
    try:
        is_object = isinstance(json.loads(pattern), dict)
    except ValueError as error:
        raise ConfigurationError(f"{where}: pattern is no JSON: {error}") from error
    if not is_object:
        raise ConfigurationError(
            f"{where}: pattern is {pattern}: it must be a JSON object, such as "
            '{"source": ["shop"]}'
        )
