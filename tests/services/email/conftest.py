"""A post office: SES and the table of the service, and a look at what was sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request, urlopen

import pytest
from lambda_workflow_services.email.mailer import Mailer
from lambda_workflow_services.email.settings import OnDoubt, Settings

from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.present import aws_client
from tests.aws.server.process import Server

TABLE = "mails"


@dataclass
class Office:
    """See the module; `clock` is the milliseconds of the mailers made here."""

    server: Server
    aws: Aws
    clock: list[int] = field(default_factory=lambda: [1_000_000_000])

    def mailer(self, on_doubt: OnDoubt = "send", **more: Any) -> Mailer:
        """A mailer, as each container has its own."""
        settings = Settings("shop@example.com", TABLE, on_doubt=on_doubt, **more)
        return Mailer(settings, lambda: self.clock[0])

    def sent(self, kind: str = "Message") -> list[dict[str, Any]]:
        """What SES was given: simple messages, or those of kind RawMessage."""
        return [message for message in self.server.mails() if message["kind"] == kind]

    async def notes(self) -> list[dict[str, Any]]:
        """The items of the table."""
        return list((await self.aws.call("dynamodb", "Scan", TableName=TABLE))["Items"])

    def requests(self) -> int:
        """How often SES was asked to send."""
        return len(self.server.requests("ses", "POST", "outbound-emails"))

    def fault(self, kind: str, *, after: bool = False) -> None:
        """Let the next request to send go wrong."""
        self.server.fault("ses", "POST", kind, name="outbound-emails", after=after)


@pytest.fixture
async def office(server: Server) -> AsyncIterator[Office]:
    aws = aws_client()
    verify(server, "example.com")
    await create_table(aws)
    yield Office(server, aws)
    await aws.close()


def verify(server: Server, identity: str) -> None:
    """Verify a domain; botocore would read all that it knows of SES for that."""
    scope = "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/ses/aws4_request"
    headers = {"Authorization": scope, "Content-Type": "application/json"}
    body = json.dumps({"EmailIdentity": identity}).encode()
    with urlopen(Request(f"{server.url}/v2/email/identities", body, headers)):
        pass


async def create_table(aws: Aws) -> None:
    """The table, with the key that needs.toml says."""
    await aws.call(
        "dynamodb",
        "CreateTable",
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
