"""A mail is sent once for each task, as far as that can be known."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from lambda_workflow_services.email import EMAIL, Mail, Sent
from lambda_workflow_services.email.adapter import email
from lambda_workflow_services.email.ledger import KEPT_SECONDS, LEASE_MS, Ledger, Mine

from lambda_workflow import Later, ServiceError, Task
from lambda_workflow.aws.handlers import task_handler
from lambda_workflow.model.messages import Update
from lambda_workflow.model.wire import parse, render_task
from tests.aws.deployed import deploy, event_of, lease, put, take
from tests.services.email.conftest import TABLE, Office

MAIL = Mail(to=("ann@example.org",), subject="Hello", text="Hi")


async def begun_and_died(office: Office) -> None:
    """A container that was killed before or after it sent: who knows."""
    began = await Ledger(TABLE, lambda: office.clock[0]).begin("e/1")
    assert isinstance(began, Mine)


async def failure(office: Office, on_doubt: str) -> ServiceError:
    mailer = office.mailer("fail" if on_doubt == "fail" else "send")
    with pytest.raises(ServiceError) as raised:
        await mailer.mail(MAIL, "e/1")
    return raised.value


async def test_a_task_that_comes_again_is_answered_with_the_id_of_its_mail(
    office: Office,
) -> None:
    first = await office.mailer().mail(MAIL, "e/1")
    again = await office.mailer().mail(MAIL, "e/1")
    other = await office.mailer().mail(MAIL, "e/2")
    assert again == first != other
    assert len(office.sent()) == 2
    assert {int(item["x"]["N"]) for item in await office.notes()} == {
        office.clock[0] // 1000 + KEPT_SECONDS
    }


async def test_deliveries_at_the_same_time_send_one_mail(office: Office) -> None:
    async def deliver() -> Sent | Later:
        try:
            return await office.mailer().mail(MAIL, "e/1")
        except Later as later:
            return later

    ends = await asyncio.gather(*(deliver() for _ in range(8)))
    assert len({end.message_id for end in ends if isinstance(end, Sent)}) == 1
    assert len(office.sent()) == 1
    for end in ends:
        if isinstance(end, Later):
            assert timedelta(0) < end.after <= timedelta(milliseconds=LEASE_MS + 1000)


async def test_who_finds_another_at_work_comes_back_when_that_is_over(office: Office) -> None:
    await begun_and_died(office)
    office.clock[0] += 20_000
    with pytest.raises(Later) as raised:
        await office.mailer().mail(MAIL, "e/1")
    assert raised.value.after == timedelta(seconds=41)
    assert office.requests() == 0


async def test_a_mail_in_doubt_is_sent_again(office: Office) -> None:
    await begun_and_died(office)
    office.clock[0] += LEASE_MS
    sent = await office.mailer().mail(MAIL, "e/1")
    assert [message["id"] for message in office.sent()] == [sent.message_id]
    assert await office.mailer("fail").mail(MAIL, "e/1") == sent


async def test_one_takes_over_what_is_in_doubt(office: Office) -> None:
    await begun_and_died(office)
    office.clock[0] += LEASE_MS

    async def deliver() -> bool:
        try:
            await office.mailer().mail(MAIL, "e/1")
        except Later:
            return False
        return True

    done = await asyncio.gather(*(deliver() for _ in range(8)))
    assert any(done)
    assert len(office.sent()) == 1


async def test_a_mail_in_doubt_is_not_sent_again_where_that_is_worse(office: Office) -> None:
    await begun_and_died(office)
    office.clock[0] += LEASE_MS
    error = await failure(office, "fail")
    assert (error.type, error.retryable) == ("EmailInDoubt", False)
    assert office.requests() == 0


@pytest.mark.parametrize("on_doubt", ["send", "fail"])
@pytest.mark.parametrize("kind", ["drop", "error"])
async def test_an_answer_that_is_lost_is_doubt(office: Office, on_doubt: str, kind: str) -> None:
    office.fault(kind, after=True)  # SES has the mail, and nobody knows
    error = await failure(office, on_doubt)
    assert office.requests() == 1
    if on_doubt == "fail":
        assert (error.type, error.retryable) == ("EmailInDoubt", False)
        assert (await failure(office, on_doubt)).type == "EmailInDoubt"
        assert len(office.sent()) == 1
        return
    assert (error.type, error.retryable) == ("EmailUnanswered", True)
    await office.mailer().mail(MAIL, "e/1")  # at once: the lease was given up
    assert len(office.sent()) == 2


@pytest.mark.parametrize("on_doubt", ["send", "fail"])
async def test_what_was_surely_not_sent_is_no_doubt(office: Office, on_doubt: str) -> None:
    office.fault("throttle")
    error = await failure(office, on_doubt)
    assert (error.type, error.retryable) == ("EmailThrottled", True)
    assert await office.notes() == []
    await office.mailer("fail").mail(MAIL, "e/1")
    assert len(office.sent()) == 1


async def test_a_mail_that_was_sent_and_not_noted_is_a_result_all_the_same(
    office: Office,
) -> None:
    office.server.fault("dynamodb", "PutItem", "refuse", skip=1, name=TABLE)
    sent = await office.mailer().mail(MAIL, "e/1")
    assert [message["id"] for message in office.sent()] == [sent.message_id]
    (note,) = await office.notes()
    assert note["s"] == {"S": "sending"}


async def test_a_table_that_is_away_brings_the_task_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMAIL_SENDER", "shop@example.com")
    monkeypatch.setenv("EMAIL_TABLE", TABLE)
    config = await deploy(["email"])
    url = config.service_queue_url("email")
    handle = task_handler(email, config=config)
    task = Task("e", "e/1", "email", EMAIL.request_codec.encode(MAIL), 1, config.queue_url)
    office.server.fault("dynamodb", "PutItem", "refuse", name=TABLE)
    results: list[str] = []
    for delivery in range(3):
        await put(url, render_task(task))
        async with lease(url) as (messages, delete):
            failed = (await handle(event_of("service-email", messages)))["batchItemFailures"]
            assert bool(failed) == (delivery == 0)
            await delete(messages)
        office.server.advance(301)  # or SQS would drop the repeated result
        for message in await take(config.queue_url):
            update = parse(message["Body"])
            assert isinstance(update, Update)
            results.append(json.dumps(update.payload))
    assert len(results) == 2
    assert len(set(results)) == 1
    assert len(office.sent()) == 1
