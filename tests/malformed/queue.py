"""A FIFO queue's redelivery: what a batch reports as failed comes again, and is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lambda_workflow.aws.listing import header_attributes
from lambda_workflow.model import messages as m
from lambda_workflow.model.payload import dumps
from lambda_workflow.model.wire import (
    parse,
    parse_task,
    render,
    render_response,
    render_task,
)
from lambda_workflow.runtime.batch import Record, run_batch
from lambda_workflow.runtime.intake import Arrival
from tests.malformed.samples import APP, start
from tests.runtime.harness import Host

DELIVERIES_MAX: Final = 5
WAITS: Final = "deploy the newer lambda-workflow"  # what ends a wait that is no message's fault
BESIDE: Final = ("first", "last", "other")


@dataclass
class Letters:
    """A dead-letter queue."""

    reasons: dict[str, str] = field(default_factory=dict)

    async def put(self, record: Record, reason: str) -> None:
        """Keep the reason, by the record's id."""
        reason.encode()
        self.reasons[record.id] = reason


async def deliver(host: Host, records: Sequence[Record]) -> Letters:
    """Deliver records until none of them fails; no record may fail at its fifth delivery."""
    letters, left = Letters(), list(records)
    for _ in range(DELIVERIES_MAX):
        failed = await run_batch(host.turns, left, letters, observer=host.notes)
        left = [
            replace(record, receive_count=record.receive_count + 1)
            for record in left
            if record.id in failed
        ]
        if not left:
            return letters
    told = [str(one.fields["error"]) for one in host.notes.of("failed")][-len(left) :]
    if all(WAITS in words for words in told):
        return letters
    raise AssertionError(f"still failing after {DELIVERIES_MAX} deliveries: {told}")


def beside(name: str, group: str) -> Record:
    """A healthy message: the start of an execution of `healthy`."""
    return Record(name, render(m.Request(name, "healthy", 4)), group)


async def deliver_with_neighbours(host: Host, *bodies: str) -> Letters:
    """Bodies between two healthy records of their group, and one of another group."""
    bad = [Record(f"bad{n}", body, "e") for n, body in enumerate(bodies)]
    records = [beside("first", "e"), *bad, beside("last", "e"), beside("other", "o")]
    letters = await deliver(host, records)
    assert letters.reasons.keys() <= {record.id for record in bad}
    assert all(letters.reasons.values())
    return letters


async def check_neighbours(host: Host) -> None:
    """The healthy executions end as if there were no others."""
    for name in BESIDE:
        assert host.history(name).status.value == "RUNNING"
        await host.send(m.Update(name, "1", 8, None, 1), m.Signal(name, "nudge", 1, "n"))
        assert host.outcome(name) == 9, name


async def check_cold(host: Host) -> None:
    """What was committed is read, replayed and gone on with by a worker that knows nothing."""
    host.deploy(APP, check=True)
    for execution_id in list(host.store._texts):
        before = host.status(execution_id)
        await host.turns.run(execution_id, [Arrival(m.Redrive(execution_id, "cold"))])
        after = host.status(execution_id)
        assert after is before, (execution_id, before, after, host.history(execution_id).turns[-1])


def check_sent(host: Host) -> None:
    """What was sent can be read by whoever gets it."""
    for message in host.queue.messages:
        assert parse(render(message.message)) == message.message
    for sent in host.queue.tasks:
        assert parse_task(render_task(sent.task)) == sent.task
    for header in host.store._headers.values():
        for value in header_attributes(header).values():
            dumps(value).encode()
    for response in host.queue.responses:
        render_response(response.response).encode()


async def busy_host() -> Host:
    """A host on which an execution `e` waits for one of everything."""
    host = Host(APP)
    await start(host)
    return host
