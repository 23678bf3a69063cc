"""A workflow's queue, the table of the questions, and the page before them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urlencode

from lambda_workflow_services.approval import Decision, Link, Question
from lambda_workflow_services.approval import adapter as adapter_module
from lambda_workflow_services.approval.page import Page
from lambda_workflow_services.approval.settings import read_settings

from lambda_workflow import Task
from lambda_workflow.aws.client import Aws
from lambda_workflow.model.messages import Update
from lambda_workflow.model.payload import codec_for
from lambda_workflow.model.tokens import make_token
from lambda_workflow.model.wire import parse
from tests.aws.deployed import create_queue, take

HOST: Final = "page.example.com"
TABLE: Final = "questions"
MINUTE: Final = 60_000


def question(**fields: Any) -> Question:
    """A question of execution `e`."""
    token = make_token("secret", "e", "1")
    return Question(**{"title": "May Ada buy books?", "token": token, **fields})


def event(method: str, path: str, body: str = "", **headers: str) -> dict[str, Any]:
    """A request as a function URL hands it on; `_` in a header's name is `-`."""
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    path, _, query = path.partition("?")
    found: dict[str, Any] = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": HOST, **named},
        "requestContext": {"domainName": HOST, "http": {"method": method, "path": path}},
        "isBase64Encoded": False,
    }
    if body:  # Lambda encodes what is no text to it, and that is what it takes forms for
        found |= {"body": base64.b64encode(body.encode()).decode(), "isBase64Encoded": True}
    return found


def decision_of(update: Update) -> Decision:
    """What an answer says."""
    return codec_for(Decision).decode(update.payload)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    time: int

    def now(self) -> int:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += int(seconds * 1000)


class Fields(HTMLParser):
    """What a page's form holds, and what it offers."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.choices: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.hidden[str(given["name"])] = str(given["value"])
        if tag == "button" and "value" in given:
            self.choices.append(str(given["value"]))


@dataclass
class Stage:
    """One link, and everything around it."""

    aws: Aws
    queue_url: str
    page: Page
    clock: Clock
    path: str = ""

    async def ask(self, asked: Question | None = None, *, operation: str = "2") -> Link:
        """Have the adapter make a link; the page's path is that link's from now on."""
        task = Task("e", f"e/{operation}", "approval", None, 1, self.queue_url)
        link: Link = await adapter_module.approval(asked or question(), task)
        self.path = link.url.removeprefix(f"https://{HOST}")
        return link

    async def get(self, path: str = "", *, method: str = "GET") -> dict[str, Any]:
        return await self.page.answer(event(method, path or self.path))

    async def form(self, **fields: str) -> str:
        """The body that a browser sends for the form of the page."""
        hidden = Fields((await self.get())["body"]).hidden
        return urlencode({**hidden, "comment": "", "by": "", **fields})

    async def post(self, body: str, **headers: str) -> dict[str, Any]:
        usual = {"Content_Type": "application/x-www-form-urlencoded", "Origin": f"https://{HOST}"}
        return await self.page.answer(event("POST", self.path, body, **{**usual, **headers}))

    async def decide(self, choice: str = "approve", **fields: str) -> dict[str, Any]:
        """Fill in the form of the page, and press a button."""
        return await self.post(await self.form(choice=choice, **fields))

    async def item(self) -> Mapping[str, Any]:
        """The one record of the table."""
        (item,) = (await self.aws.call("dynamodb", "Scan", TableName=TABLE))["Items"]
        return dict(item)

    async def answers(self) -> list[Update]:
        """What the workflow was sent since the last look."""
        messages = await take(self.queue_url)
        assert {m["Attributes"]["MessageGroupId"] for m in messages} <= {"e"}
        updates = [parse(message["Body"]) for message in messages]
        return [update for update in updates if isinstance(update, Update)]


async def set_up(aws: Aws, clock: Clock) -> Stage:
    """A new table and queue; the settings must be in the environment."""
    await create_table(aws)
    url = await create_queue(aws, "in.fifo")
    return Stage(aws, url, Page(aws, read_settings(), clock), clock)


async def create_table(aws: Aws) -> None:
    """The table, as the service's `needs.toml` has it."""
    await aws.call(
        "dynamodb",
        "CreateTable",
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
