"""Ready-made adapters in an App of one's own: the README's App, and one that has them all."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from lambda_workflow_services.approval.adapter import settings

from lambda_workflow import App, Client, Context, workflow
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import PREFIX
from lambda_workflow.aws.present import aws_client
from lambda_workflow.aws.synth.sam import to_sam
from lambda_workflow.cli.loading import load_app
from tests.aws.deployed import until
from tests.aws.server.process import Server
from tests.docs.blocks import run_page
from tests.patience import patient
from tests.services.caller import check
from tests.services.email.conftest import TABLE, create_table, verify
from tests.services.http.site import Site, json_reply, running_site
from tests.services.test_deployed import CASES
from tests.services.uses import decide
from tests.synth.apps import stack_of
from tests.synth.comparing import refused
from tests.synth.stack import at_work, create
from tests.synth.template_text import read
from tests.synth.test_deployed import client_config

HOME = Path(__file__).parents[2] / "services"
SENT = "/v2/email/outbound-emails"
LOOPBACK = "127.0.0.0/8,::1/128"


@workflow
async def rest(ctx: Context, order: str) -> str:
    return order


async def on_a_laptop(module: ModuleType) -> None:
    """Execute the README's examples."""
    await create_table(aws_client())
    await run_page(HOME / "README.md", module)
    await aws_client().close()


@pytest.fixture
def page(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The README, executed in an event loop of its own, as that is another process."""
    made = ModuleType("page_services")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.chdir(tmp_path)
    verify(server, "example.com")
    with running_site() as site, pytest.MonkeyPatch.context() as laptop:
        site.says("/tea", json_reply({"cents": 500}))
        laptop.setenv("EMAIL_SENDER", "shop@example.com")
        laptop.setenv("EMAIL_TABLE", TABLE)
        laptop.setenv("HTTP_ALLOW_PRIVATE", LOOPBACK)
        laptop.setenv("PRICES", site.url(""))
        asyncio.run(on_a_laptop(made))
    assert len(server.requests("ses", "POST", "outbound-emails")) == 1
    return made


async def test_the_readmes_app_runs_on_a_laptop_and_in_the_stack_that_it_has(
    server: Server, page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws, text = Aws(), to_sam(stack_of(page.app))
    parameters = {
        "EmailSender": "shop@example.com",
        "EmailIdentity": "example.com",
        "HttpAllowPrivate": LOOPBACK,
    }
    check(text, parameters)
    deployed = await create(aws, text, **parameters)
    for environment in deployed.environments.values():
        for name, value in environment.items():
            if not name.startswith(PREFIX):
                monkeypatch.setenv(name, value)
    settings.cache_clear()
    client = Client(page.app, aws_backend(page.app, client_config(deployed), aws), close=aws.close)
    with running_site() as site:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", site.url(""))
        site.says("/piano", json_reply({"cents": 500_000}))
        site.says(SENT, json_reply({"MessageId": "m-1"}))
        async with at_work(page.app, deployed) as run:
            url = site.url("/piano")
            order = page.Order(item="piano", price_url=url, buyer="ada@example.com")
            handle = await client.start(page.buy, order)
            await until(lambda: len(mails(site)) == 1)
            function = "shop-service-approval-page"
            environment = deployed.environments[function]
            await decide(mails(site)[0], environment, run.calls[function], choice="approve")
            assert await handle.result(patient(120)) == "receipt over 500000"
        assert mails(site)[1:] == ["receipt over 500000"]
    await client.close()
    settings.cache_clear()
    assert {name.rpartition("-")[2] for name in run.calls} == {
        "workflow", "pay", "http", "email", "approval", "page"
    }  # fmt: skip
    for name, calls in run.calls.items():
        assert refused(deployed.rights[name], calls) == set(), name


def mails(site: Site) -> list[str]:
    """The texts that SES was given."""
    bodies = [json.loads(seen.body) for seen in site.seen if seen.path == SENT]
    return [body["Content"]["Simple"]["Body"]["Text"]["Data"] for body in bodies]


ADAPTERS = [
    adapter
    for name in CASES
    for adapter in load_app(f"lambda_workflow_services.{name}.app:app").adapters.values()
]
ALL = App("shop", workflows=[rest], adapters=ADAPTERS)


async def test_an_app_may_have_all_of_them(server: Server) -> None:
    text = to_sam(stack_of(ALL))
    parameters: dict[str, str] = {}
    for case in CASES.values():
        parameters |= case.parameters
    check(text, parameters)
    aws = Aws()
    deployed = await create(aws, text, **parameters)
    await aws.close()
    assert len(deployed.triggers) == len(ADAPTERS) + 2  # and the workflow's own queues


def test_no_two_ask_for_the_same_parameter_and_cfn_lint_finds_nothing(tmp_path: Path) -> None:
    text = to_sam(stack_of(ALL))
    files = [HOME / "lambda_workflow_services" / name / "needs.toml" for name in CASES]
    needs = [tomllib.loads(file.read_text(encoding="utf-8")) for file in files]
    declared = Counter(name for one in needs for name in one.get("parameter", ()))
    assert set(declared.values()) == {1}
    assert set(declared) == set(read(text)["Parameters"]) - {"Name", "AlarmTopicArn"}
    file = tmp_path / "template.yaml"
    file.write_text(text, encoding="utf-8")
    lint = [Path(sys.executable).parent / "cfn-lint", file]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)
