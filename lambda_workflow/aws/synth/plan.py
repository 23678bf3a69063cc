"""App and options → resources. Each part of the stack is made here, once, whatever its format.

Laws
 1. The same App and options make the same stack, byte for byte.
 2. A queue's reader, its rights and its variables are made together, so that none can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator

from lambda_workflow.aws.dynamodb import HORIZON_DAYS, table_definition
from lambda_workflow.aws.synth import watch
from lambda_workflow.aws.synth.check import check_needs, check_options, check_stack, name_of
from lambda_workflow.aws.synth.choices import Choices
from lambda_workflow.aws.synth.gather import gather
from lambda_workflow.aws.synth.names import (
    BUCKET,
    DEAD,
    FIFO_ARN,
    INBOX,
    KMS,
    RESPONSES,
    SHARED_BUCKET,
    STANDARD_ARN,
    STARTERS,
    TABLE,
    app_id,
    service_id,
)
from lambda_workflow.aws.synth.options import Options
from lambda_workflow.aws.synth.resources import Bucket, Output, Resource, Stack, Table
from lambda_workflow.aws.synth.services import ServiceParts
from lambda_workflow.aws.synth.starters import starter_policy
from lambda_workflow.aws.synth.tls import only_tls
from lambda_workflow.aws.synth.uses import uses_of
from lambda_workflow.aws.synth.values import Because, Parameter, Ref, named
from lambda_workflow.aws.synth.workflows import Workflows
from lambda_workflow.runtime.app import App


def plan(app: App, address: str, options: Options) -> Stack:
    """The stack of an App.

    Args:
        address: `MODULE:APP`, where the App stands; the handlers are looked for beside it.

    Raises:
        ConfigurationError: it cannot work; the message says what to change.
    """
    uses = uses_of(app, options)
    check_options(app, options, uses)
    needs = gather(app, options)
    check_needs(needs)
    chosen = Choices(app, address, options, uses, needs)
    parts = tuple(_resources(chosen))
    resources = (*parts, *only_tls(parts))
    topic = (watch.TOPIC,) if options.alarms else ()
    parameters = (name_of(app, options, needs), *topic, *_parameters(chosen))
    stack = Stack(
        f"Workflows and services of the App {app.name}.",
        parameters,
        (*resources, *watch.watch(resources, options)),
        tuple(_outputs(chosen)),
    )
    check_stack(stack)
    return stack


def _parameters(chosen: Choices) -> Iterator[Parameter]:
    if chosen.options.kms:
        yield KMS
    if chosen.options.shared_bucket:
        yield SHARED_BUCKET
    for name in chosen.uses.elsewhere:
        about = f"ARN of the queue of service {name!r}, which another stack serves."
        yield Parameter(service_id(name, "queue-arn"), about, pattern=STANDARD_ARN)
    for name in sorted({*chosen.uses.apps, *chosen.uses.callers}):
        about = f"ARN of the FIFO queue of App {name!r}: the output WorkflowQueueArn of it."
        yield Parameter(app_id(name), about, pattern=FIFO_ARN)
    yield from chosen.needs.declared()


def _resources(chosen: Choices) -> Iterator[Resource]:
    if chosen.has_table:
        yield _table(chosen)
    if chosen.options.bucket:
        yield _bucket(chosen)
    if chosen.uses.workflows:
        yield from Workflows(chosen).resources()
    for service in chosen.uses.served:
        yield from ServiceParts(chosen, service).resources()
    if chosen.options.starters:
        yield starter_policy(chosen)


def _table(chosen: Choices) -> Table:
    made = table_definition("")
    del made["TableName"]
    return Table(
        id=TABLE,
        why="The histories: one item for each turn. It outlives the stack.",
        name=named("-histories"),
        definition=made,
        recovery=chosen.options.recovery,
        protected=chosen.options.deletion_protection,
        kms_key=chosen.key,
    )


def _bucket(chosen: Choices) -> Bucket:
    return Bucket(
        id=BUCKET,
        why="Payloads over 32 KB. It outlives the stack.",
        expiry_days=Because(HORIZON_DAYS, "As long as the items that refer to them may live."),
        kms_key=chosen.key,
    )


def _outputs(chosen: Choices) -> Iterator[Output]:
    options = chosen.options
    if chosen.uses.workflows:
        yield Output("workflow-queue-url", "Starts executions.", Ref(INBOX, "url"))
        yield Output("workflow-queue-arn", "For stacks that call.", Ref(INBOX, "arn"))
        yield Output("dead-letter-queue-url", "Look here.", Ref(DEAD, "url"))
    if chosen.has_table:
        yield Output("table-name", "The histories.", Ref(TABLE, "name"))
    if options.bucket:
        yield Output("bucket-name", "Large payloads.", Ref(BUCKET, "name"))
    if options.responses:
        yield Output("response-queue-url", "Outcomes.", Ref(RESPONSES, "url"))
    for service in chosen.uses.served:
        yield from ServiceParts(chosen, service).outputs()
    if options.starters:
        about = "Attach it to whoever starts executions and asks for them."
        yield Output(f"{STARTERS}-arn", about, Ref(STARTERS, "arn"))
