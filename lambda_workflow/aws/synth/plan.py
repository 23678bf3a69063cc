"""App and options → resources. Each part of the stack is made here, once, whatever its format.

Laws
 1. The same App and options make the same stack, byte for byte.
 2. A queue's reader, its rights and its variables are made together, so that none can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from lambda_workflow.aws.config import PREFIX, app_variable_of, variable_of
from lambda_workflow.aws.dynamodb import HORIZON_DAYS
from lambda_workflow.aws.synth import rights, timing, watch
from lambda_workflow.aws.synth.check import check_options, check_stack, name_of
from lambda_workflow.aws.synth.functions import Making
from lambda_workflow.aws.synth.handlers import service_handler_of, workflow_handler_of
from lambda_workflow.aws.synth.options import Options
from lambda_workflow.aws.synth.resources import (
    Bucket,
    Output,
    Queue,
    Resource,
    Role,
    ScheduleGroup,
    Stack,
    Statement,
    Table,
    Target,
)
from lambda_workflow.aws.synth.uses import Uses, uses_of
from lambda_workflow.aws.synth.values import (
    Because,
    Builtin,
    Param,
    Parameter,
    Ref,
    Text,
    UrlOfArn,
    Value,
    named,
)
from lambda_workflow.aws.timers import DELAY_SECONDS_MAX
from lambda_workflow.model.service import Service
from lambda_workflow.runtime.app import App

INBOX: Final = "workflow-queue"
DEAD: Final = "workflow-dead-letters"
DELAY: Final = "delay-queue"
DELAY_DEAD: Final = "delay-dead-letters"
RESPONSES: Final = "response-queue"
TABLE: Final = "table"
BUCKET: Final = "payload-bucket"
GROUP: Final = "timer-group"
TIMER_ROLE: Final = "timer-role"
KMS: Final = Parameter(
    "kms-key-arn", "ARN of the KMS key for queues, table and bucket.", pattern="^arn:[^:]+:kms:.+$"
)
QUEUE_ARN: Final = "^arn:[^:]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+([.]fifo)?$"


def plan(app: App, address: str, options: Options) -> Stack:
    """The stack of an App.

    Args:
        address: `MODULE:APP`, where the App stands; the handlers are looked for beside it.

    Raises:
        ConfigurationError: it cannot work; the message says what to change.
    """
    uses = uses_of(app, options)
    check_options(app, options, uses)
    made = _Plan(app, address, options, uses)
    resources = tuple(made.resources())
    parameters = (name_of(app, options, uses), watch.TOPIC, *made.parameters())
    stack = Stack(
        f"Workflows and services of the App {app.name}.",
        parameters,
        (*resources, *watch.watch(resources)),
        tuple(made.outputs()),
    )
    check_stack(stack)
    return stack


@dataclass(frozen=True)
class _Plan:
    app: App
    address: str
    options: Options
    uses: Uses

    @property
    def key(self) -> Param | None:
        return Param(KMS.id) if self.options.kms else None

    @property
    def has_table(self) -> bool:
        return self.uses.workflows or self.options.deduplicate

    @cached_property
    def callers(self) -> tuple[Param, ...]:
        return tuple(Param(app_id(name)) for name in self.uses.callers)

    def parameters(self) -> Iterator[Parameter]:
        if self.options.kms:
            yield KMS
        for name in self.uses.elsewhere:
            about = f"ARN of the queue of service {name!r}, which another stack serves."
            yield Parameter(service_id(name, "queue-arn"), about, pattern=QUEUE_ARN)
        for name in sorted({*self.uses.apps, *self.uses.callers}):
            about = f"ARN of the FIFO queue of App {name!r}: the output WorkflowQueueArn of it."
            yield Parameter(app_id(name), about, pattern=QUEUE_ARN)

    def resources(self) -> Iterator[Resource]:
        if self.has_table:
            yield self.table()
        if self.options.bucket:
            yield self.bucket()
        if self.uses.workflows:
            yield from self.queues()
            if self.options.scheduler:
                yield from self.scheduler()
            yield from self.workflow()
        for service in self.uses.served:
            yield from self.service(service)

    def table(self) -> Table:
        return Table(
            id=TABLE,
            why="The histories: one item for each turn. It outlives the stack.",
            name=named("-histories"),
            recovery=self.options.recovery,
            protected=self.options.deletion_protection,
            kms_key=self.key,
        )

    def bucket(self) -> Bucket:
        return Bucket(
            id=BUCKET,
            why="Payloads over 32 KB. It outlives the stack.",
            expiry_days=Because(HORIZON_DAYS, "As long as the items that refer to them may live."),
            kms_key=self.key,
        )

    def queues(self) -> Iterator[Queue]:
        seconds = self.workflow_seconds.value
        yield self.dead(DEAD, "-workflow-dead.fifo", "What no turn could take in, with the reason.")
        yield Queue(
            id=INBOX,
            why="Wakes executions. One message group for each: serial within, parallel without.",
            name=named("-workflow.fifo"),
            retention_seconds=timing.KEPT,
            visibility_seconds=timing.visibility(seconds),
            receives=timing.receives(timing.OUTAGE_SECONDS),
            dead_letters=DEAD,
            kms_key=self.key,
        )
        yield self.dead(DELAY_DEAD, "-delay-dead", "Timers that could not be forwarded.")
        yield Queue(
            id=DELAY,
            why="Timers of up to 15 minutes: each message has a delay of its own.",
            name=named("-delay"),
            retention_seconds=timing.KEPT,
            visibility_seconds=timing.visibility(seconds),
            receives=timing.receives(timing.OUTAGE_SECONDS),
            dead_letters=DELAY_DEAD,
            delay_seconds=DELAY_SECONDS_MAX,
            kms_key=self.key,
        )
        if self.options.responses:
            yield Queue(
                id=RESPONSES,
                why="The outcome of each execution, for whoever reads it.",
                name=named("-responses"),
                retention_seconds=timing.KEPT_DEAD,
                kms_key=self.key,
            )

    def dead(self, id_: str, suffix: str, why: str) -> Queue:
        return Queue(
            id=id_,
            why=why,
            name=named(suffix),
            retention_seconds=timing.KEPT_DEAD,
            kms_key=self.key,
        )

    def scheduler(self) -> Iterator[Resource]:
        group = Ref(GROUP, "arn")
        yield ScheduleGroup(
            id=GROUP, why="Timers beyond 15 minutes: a schedule each.", name=named("-timers")
        )
        yield Role(
            id=TIMER_ROLE,
            why="Scheduler assumes it to wake executions; only for schedules of the group.",
            service="scheduler.amazonaws.com",
            statements=(rights.send([Ref(INBOX, "arn")]), *self.key_right()),
            trust={
                "StringEquals": {"aws:SourceAccount": Builtin("account"), "aws:SourceArn": group}
            },
        )

    @property
    def workflow_seconds(self) -> Because:
        return timing.workflow_timeout(self.options.workflow.timeout)

    def workflow(self) -> Iterator[Resource]:
        environment: dict[str, Value] = {
            "TABLE": Ref(TABLE, "name"),
            "QUEUE_URL": Ref(INBOX, "url"),
            "DLQ_URL": Ref(DEAD, "url"),
            "DELAY_QUEUE_URL": Ref(DELAY, "url"),
            "RETENTION_DAYS": str(self.options.retention_days),
        }
        targets: list[Target] = [Ref(id_, "arn") for id_ in (INBOX, DEAD, DELAY)]
        statements = [
            rights.consume(INBOX, DELAY),
            rights.histories(TABLE, chunks=not self.options.bucket),
        ]
        if self.options.responses:
            environment["RESPONSE_QUEUE_URL"] = Ref(RESPONSES, "url")
            targets.append(Ref(RESPONSES, "arn"))
        if self.options.scheduler:
            environment["SCHEDULER_GROUP"] = Ref(GROUP, "name")
            environment["SCHEDULER_ROLE_ARN"] = Ref(TIMER_ROLE, "arn")
            environment["QUEUE_ARN"] = Ref(INBOX, "arn")
            statements += [rights.schedules(GROUP), rights.lend(TIMER_ROLE)]
        if self.options.bucket:
            environment["BUCKET"] = Ref(BUCKET, "name")
            statements.append(rights.payloads(BUCKET))
        variables = {PREFIX + name: value for name, value in environment.items()}
        for variable, url, arn in self.peers():
            variables[variable] = url
            targets.append(arn)
        targets += [caller for caller in self.callers if caller not in targets]
        made = Making(self.options, "workflow", self.options.workflow, self.workflow_seconds)
        handler = workflow_handler_of(self.address, self.options.workflow.handler)
        statements += [rights.send(targets), *self.key_right()]
        yield from made.parts(handler, "Runs the turns of executions.", variables, statements)
        yield made.trigger(INBOX, "workflow-trigger", "Batches of the FIFO queue.")
        yield made.trigger(DELAY, "delay-trigger", "Timers that are due, or take another hop.")

    def peers(self) -> Iterator[tuple[str, Value, Target]]:
        """Services and Apps that the workflows call: variable, URL and ARN of each."""
        for service in self.uses.served:
            queue = service_id(service.name, "queue")
            yield variable_of(service.name), Ref(queue, "url"), Ref(queue, "arn")
        for name in self.uses.elsewhere:
            arn = Param(service_id(name, "queue-arn"))
            yield variable_of(name), UrlOfArn(arn), arn
        for name in self.uses.apps:
            arn = Param(app_id(name))
            yield app_variable_of(name), UrlOfArn(arn), arn

    def service(self, service: Service[Any, Any]) -> Iterator[Resource]:
        name, options = service.name, self.options.of_service(service.name)
        queue, dead = service_id(name, "queue"), service_id(name, "dead-letters")
        seconds = timing.service_timeout(service, options.timeout)
        yield self.dead(dead, f"-service-{name}-dead", f"Tasks of {name!r} that were never done.")
        yield Queue(
            id=queue,
            why=f"Tasks of service {name!r}.",
            name=named(f"-service-{name}"),
            retention_seconds=timing.KEPT,
            visibility_seconds=timing.visibility(seconds.value),
            receives=timing.receives(timing.SERVICE_OUTAGE_SECONDS),
            dead_letters=dead,
            kms_key=self.key,
        )
        inbox: list[Target] = [Ref(INBOX, "arn")] if self.uses.workflows else []
        statements = [
            rights.consume(queue),
            rights.send([*inbox, *self.callers, Ref(dead, "arn")]),
        ]
        environment: dict[str, Value] = {"DLQ_URL": Ref(dead, "url")}
        prefixes = ["task:"] if self.options.deduplicate else []
        if self.options.bucket:
            environment["BUCKET"] = Ref(BUCKET, "name")
            statements.append(rights.payloads(BUCKET))
        elif self.has_table:
            prefixes.append("blob:")
        if prefixes:
            environment["TABLE"] = Ref(TABLE, "name")
            statements.append(rights.items(TABLE, sorted(prefixes)))
        if self.options.deduplicate:
            environment["DEDUPLICATE"] = "1"
        statements += self.key_right()
        variables = {PREFIX + key: value for key, value in environment.items()}
        made = Making(self.options, f"service-{name}", options, seconds)
        handler = service_handler_of(self.address, options.handler)
        why = f"Does the work of service {name!r} and posts the result."
        yield from made.parts(handler, why, variables, statements)
        yield made.trigger(queue, service_id(name, "trigger"), f"Tasks of {name!r}.")

    def key_right(self) -> tuple[Statement, ...]:
        return (rights.key(self.key),) if self.key else ()

    def outputs(self) -> Iterator[Output]:
        if self.uses.workflows:
            yield Output("workflow-queue-url", "Starts executions.", Ref(INBOX, "url"))
            yield Output("workflow-queue-arn", "For stacks that call.", Ref(INBOX, "arn"))
            yield Output("dead-letter-queue-url", "Look here.", Ref(DEAD, "url"))
        if self.has_table:
            yield Output("table-name", "The histories.", Ref(TABLE, "name"))
        if self.options.bucket:
            yield Output("bucket-name", "Large payloads.", Ref(BUCKET, "name"))
        if self.options.responses:
            yield Output("response-queue-url", "Outcomes.", Ref(RESPONSES, "url"))
        for service in self.uses.served:
            queue = service_id(service.name, "queue")
            about = f"Of service {service.name!r}, for stacks that call it."
            yield Output(f"{queue}-arn", about, Ref(queue, "arn"))
        if self.app.schedules:
            command = f"lambda-workflow schedule apply {self.address} --aws"
            about = "Run it after each deployment: schedules are executions, and this starts them."
            yield Output("schedules-command", about, Text((command,)))


def service_id(name: str, part: str) -> str:
    """The id of a part of a service."""
    return f"service-{name}-{part}"


def app_id(name: str) -> str:
    """The parameter with the FIFO queue of another App."""
    return f"app-{name}-queue-arn"
