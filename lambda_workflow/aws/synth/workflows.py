"""The workflows' part of a stack: queues, timers, the function that runs turns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from lambda_workflow.aws.config import PREFIX, app_variable_of, variable_of
from lambda_workflow.aws.synth import rights, timing
from lambda_workflow.aws.synth.choices import Choices
from lambda_workflow.aws.synth.functions import Making, trigger
from lambda_workflow.aws.synth.handlers import workflow_handler_of
from lambda_workflow.aws.synth.names import (
    DEAD,
    DELAY,
    DELAY_DEAD,
    GROUP,
    INBOX,
    RESPONSES,
    TABLE,
    TIMER_ROLE,
    app_id,
    service_id,
)
from lambda_workflow.aws.synth.placeholders import Scope
from lambda_workflow.aws.synth.resources import (
    Queue,
    Resource,
    Role,
    ScheduleGroup,
    Schedules,
    Target,
)
from lambda_workflow.aws.synth.values import Because, Builtin, Param, Ref, UrlOfArn, Value, named
from lambda_workflow.aws.timers import DELAY_SECONDS_MAX

DELAY_CONCURRENCY: Final = 2  # Lambda's least; a batch of timers is one send


@dataclass(frozen=True)
class Workflows:
    """The resources of the workflows."""

    chosen: Choices

    def resources(self) -> Iterator[Resource]:
        """All of them."""
        yield from self._queues()
        if self.chosen.options.scheduler:
            yield from self._scheduler()
        yield from self._function()
        yield from self._triggers()
        if self.chosen.app.schedules:
            yield self._schedules()

    def _queues(self) -> Iterator[Queue]:
        chosen, seconds = self.chosen, self._seconds.value
        yield chosen.dead(
            DEAD, "-workflow-dead.fifo", "What no turn could take in, with the reason."
        )
        yield Queue(
            id=INBOX,
            why="Wakes executions. One message group for each: serial within, parallel without.",
            name=named("-workflow.fifo"),
            retention_seconds=timing.KEPT,
            visibility_seconds=timing.visibility(seconds),
            receives=timing.receives(timing.OUTAGE_SECONDS),
            dead_letters=DEAD,
            kms_key=chosen.key,
        )
        yield chosen.dead(DELAY_DEAD, "-delay-dead", "Timers that could not be delivered.")
        yield Queue(
            id=DELAY,
            why="Timers of up to 15 minutes: each message has a delay of its own.",
            name=named("-delay"),
            retention_seconds=timing.KEPT,
            visibility_seconds=timing.visibility(seconds),
            receives=timing.receives(timing.OUTAGE_SECONDS),
            dead_letters=DELAY_DEAD,
            delay_seconds=DELAY_SECONDS_MAX,
            kms_key=chosen.key,
        )
        if chosen.options.responses:
            yield Queue(
                id=RESPONSES,
                why="The outcome of each execution, for whoever reads it.",
                name=named("-responses"),
                retention_seconds=timing.KEPT_DEAD,
                kms_key=chosen.key,
            )

    def _scheduler(self) -> Iterator[Resource]:
        group = Ref(GROUP, "arn")
        yield ScheduleGroup(
            id=GROUP, why="Timers beyond 15 minutes: a schedule each.", name=named("-timers")
        )
        yield Role(
            id=TIMER_ROLE,
            why="Scheduler assumes it to wake executions; only for schedules of the group.",
            service="scheduler.amazonaws.com",
            statements=(
                rights.send([Ref(INBOX, "arn"), Ref(DELAY_DEAD, "arn")]),
                *self.chosen.key_right,
            ),
            trust={
                "StringEquals": {"aws:SourceAccount": Builtin("account"), "aws:SourceArn": group}
            },
        )

    @property
    def _seconds(self) -> Because:
        return timing.workflow_timeout(self.chosen.options.workflow.timeout)

    @property
    def _scope(self) -> Scope:
        return Scope("[workflow]", self.chosen.needs.parameters)

    def _function(self) -> Iterator[Resource]:
        options, bucket = self.chosen.options, self.chosen.bucket
        environment: dict[str, Value] = {
            "TABLE": Ref(TABLE, "name"),
            "QUEUE_URL": Ref(INBOX, "url"),
            "DLQ_URL": Ref(DEAD, "url"),
            "DELAY_QUEUE_URL": Ref(DELAY, "url"),
            "RETENTION_DAYS": str(options.retention_days),
        }
        for name in ("turn_warning_seconds", "turn_seconds_max"):
            if chosen := getattr(options, name):
                environment[name.upper()] = chosen
        targets: list[Target] = [Ref(id_, "arn") for id_ in (INBOX, DEAD, DELAY)]
        statements = [
            rights.consume(INBOX, DELAY),
            rights.histories(TABLE, items=not bucket or bool(self.chosen.app.schedules)),
        ]
        if options.responses:
            environment["RESPONSE_QUEUE_URL"] = Ref(RESPONSES, "url")
            targets.append(Ref(RESPONSES, "arn"))
        if options.scheduler:
            environment["SCHEDULER_GROUP"] = Ref(GROUP, "name")
            environment["SCHEDULER_ROLE_ARN"] = Ref(TIMER_ROLE, "arn")
            environment["SCHEDULER_DLQ_ARN"] = Ref(DELAY_DEAD, "arn")
            environment["QUEUE_ARN"] = Ref(INBOX, "arn")
            statements += [rights.schedules(GROUP), rights.lend(TIMER_ROLE)]
        if bucket:
            environment["BUCKET"] = bucket
            statements += rights.payloads(bucket)
        variables = {PREFIX + name: value for name, value in environment.items()}
        for variable, url, arn in self._peers():
            variables[variable] = url
            targets.append(arn)
        targets += [caller for caller in self.chosen.callers if caller not in targets]
        variables |= self._scope.variables(options.workflow.environment)
        statements += [rights.send(targets), *self.chosen.key_right]
        statements += self._scope.statements(options.workflow.rights)
        made = Making(options, "workflow", options.workflow, self._seconds)
        handler = workflow_handler_of(self.chosen.address, options.workflow.handler)
        yield from made.parts(handler, "Runs the turns of executions.", variables, statements)

    def _triggers(self) -> Iterator[Resource]:
        for queue, id_, why in (
            (INBOX, "workflow-trigger", "Batches of the FIFO queue."),
            (DELAY, "delay-trigger", "Timers that are due, or take another hop."),
        ):
            own = self.chosen.options.workflow
            if queue == DELAY:
                own = replace(own, concurrency=min(own.concurrency, DELAY_CONCURRENCY))
            yield trigger(own, "workflow-function", queue, (id_, why))

    def _schedules(self) -> Schedules:
        schedules = self.chosen.app.schedules
        return Schedules(
            id="schedules",
            why="The App's schedules, which are executions: made and changed by each deployment.",
            function="workflow-function",
            role="workflow-role",
            digests={name: schedules[name].plan.digest for name in sorted(schedules)},
        )

    def _peers(self) -> Iterator[tuple[str, Value, Target]]:
        """Services and Apps that the workflows call: variable, URL and ARN of each."""
        uses = self.chosen.uses
        for service in uses.served:
            queue = service_id(service.name, "queue")
            yield variable_of(service.name), Ref(queue, "url"), Ref(queue, "arn")
        for name in uses.elsewhere:
            arn = Param(service_id(name, "queue-arn"))
            yield variable_of(name), UrlOfArn(arn), arn
        for name in uses.apps:
            arn = Param(app_id(name))
            yield app_variable_of(name), UrlOfArn(arn), arn
