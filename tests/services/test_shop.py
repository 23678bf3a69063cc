"""A shop whose stack has the services http and email: deployed, at work, and no right too many."""

from __future__ import annotations

import pytest
from lambda_workflow_services.email import EMAIL, Attachment, Mail
from lambda_workflow_services.email.adapter import email
from lambda_workflow_services.http import HTTP, HttpRequest, Secret
from lambda_workflow_services.http.adapter import http
from pydantic import BaseModel

from lambda_workflow import App, Client, Context, workflow
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import PREFIX
from lambda_workflow.aws.synth.sam import to_sam
from tests.aws.server.process import Server
from tests.patience import patient
from tests.services.email.conftest import verify
from tests.services.http.certificates import make
from tests.services.http.site import Reply, Site, running_site
from tests.synth.apps import stack_of
from tests.synth.comparing import refused
from tests.synth.stack import Deployed, Run, at_work, create
from tests.synth.test_deployed import client_config

SOON = patient(120)


class Order(BaseModel):
    """Whose invoice is to be mailed, and where it is."""

    address: str
    invoice_url: str


@workflow
async def send_invoice(ctx: Context, order: Order) -> str:
    headers = {"X-Key": Secret("plain")}
    request = HttpRequest(url=order.invoice_url, headers=headers)
    invoice = (await ctx.call(HTTP, request)).content
    assert invoice is not None
    mail = Mail(
        to=(order.address,),
        subject="Your invoice",
        text="Here it is.",
        attachments=(Attachment(name="invoice.pdf", content=invoice),),
    )
    return (await ctx.call(EMAIL, mail)).message_id


app = App("shop", workflows=[send_invoice], adapters=[http, email])


def configure(monkeypatch: pytest.MonkeyPatch, deployed: Deployed) -> None:
    """The services read the variables that their functions have."""
    for environment in deployed.environments.values():
        for name, value in environment.items():
            if not name.startswith(PREFIX):
                monkeypatch.setenv(name, value)


async def test_an_invoice_is_fetched_and_mailed_by_a_deployed_stack(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    certificates = make(tmp_path_factory.mktemp("tls"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.trusted))
    verify(server, "example.com")
    aws = Aws()
    await aws.call("secretsmanager", "CreateSecret", Name="shop/http/plain", SecretString="sk-123")
    deployed = await create(
        aws,
        to_sam(stack_of(app)),
        EmailSender="shop@example.com",
        EmailIdentity="example.com",
        HttpAllowPrivate="127.0.0.0/8,::1/128",
        HttpSecretPrefix="shop/http/",
    )
    await aws.close()
    configure(monkeypatch, deployed)
    with running_site(certificates.server) as site:
        run = await mailed(deployed, site)
    assert site.seen[0].headers["x-key"] == "sk-123"
    for name in ("shop-service-http", "shop-service-email"):
        assert refused(deployed.rights[name], run.calls[name]) == set(), name
    sends = server.requests("ses", "POST", "outbound-emails")
    assert len(sends) == 1


async def mailed(deployed: Deployed, site: Site) -> Run:
    """Run one order through the stack."""
    site.says("/7", Reply(body=b"%PDF" * 25_000))  # over what a message carries itself
    url = site.url("/7", "localhost", "https")
    order = Order(address="ann@example.org", invoice_url=url)
    aws = Aws()
    client = Client(app, aws_backend(app, client_config(deployed), aws), close=aws.close)
    try:
        async with at_work(app, deployed) as run:
            handle = await client.start(send_invoice, order)
            assert await handle.result(timeout=SOON)
            return run
    finally:
        await client.close()
