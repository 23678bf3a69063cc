"""From the workflow to the page and back, with the functions as they are deployed."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest
from lambda_workflow_services.approval.adapter import approval
from lambda_workflow_services.approval.page import page_handler
from lambda_workflow_services.email import EMAIL, Mail, Sent

from lambda_workflow import App, serve
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.entry import Handler
from lambda_workflow.runtime.client import Client
from tests.aws.deployed import deploy, working
from tests.aws.server.process import Server
from tests.services.approval.stage import HOST, Fields, create_table, event
from tests.services.approval.test_readme import readme

CONTAINER: list[Handler] = []  # a handler's event loop lives as long as its container


def press(handler: Handler, url: str, choice: str, comment: str = "") -> dict[str, Any]:
    """Open a link, fill in its form, press a button; the page that this leads to."""
    path = url.removeprefix(f"https://{HOST}")
    form = Fields(handler(event("GET", path), None)["body"]).hidden
    body = urlencode({**form, "choice": choice, "comment": comment})
    headers = {"Content_Type": "application/x-www-form-urlencoded", "Origin": f"https://{HOST}"}
    answer = handler(event("POST", path, body, **headers), None)
    assert answer["statusCode"] == 303
    page: dict[str, Any] = handler(event("GET", f"{path}?done"), None)
    return page


async def test_a_workflow_asks_and_goes_on_when_the_page_has_answered(
    server: Server, settings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await readme(monkeypatch)
    mails: asyncio.Queue[Mail] = asyncio.Queue()

    @serve(EMAIL)
    async def send_mail(mail: Mail) -> Sent:
        mails.put_nowait(mail)
        return Sent(message_id="1")

    app = App("expenses", workflows=[page.approve_expense], adapters=[approval, send_mail])
    config = await deploy(["approval", "email"])
    aws = Aws()
    await create_table(aws)
    await aws.close()
    CONTAINER.append(page_handler())
    results = {}
    async with working(app, config) as client:
        handles = [await start(client, page, name) for name in ("Ada", "Alan")]
        for _ in handles:
            mail = await mails.get()
            url = mail.text.removeprefix("Please decide: ")
            choice = "approve" if mail.to == ("ada@example.com",) else "reject"
            shown = await asyncio.to_thread(press, CONTAINER[0], url, choice, "enjoy")
            assert "Thank you" in shown["body"]
        for handle in handles:
            results[handle.execution_id] = await handle.result()
    assert results == {"Ada": "approved: enjoy", "Alan": "rejected"}


async def start(client: Client, page: Any, name: str) -> Any:
    expense = page.Expense(name, "books", 620, f"{name.lower()}@example.com")
    return await client.start(page.approve_expense, expense, execution_id=name)
