"""The README's way from nothing to a running stack: its commands are typed, its outputs compared.

`make deploy` needs an account: in its place the stack of what was built is made on the moto server,
whose outputs must be those shown. Where the functions' Python is missing, that of this environment
is chosen, as the README says. `…` stands for whatever differs each time.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.cli.loading import load_app
from tests.aws.deployed import SOON
from tests.aws.server.process import Server
from tests.conftest import SAM
from tests.docs.blocks import blocks_of
from tests.patience import patience
from tests.sam.cli import PYTHON, ROOT, environment
from tests.synth.stack import Deployed, at_work, create
from tests.synth.test_deployed import client_config, jump

DEPLOY: Final = "make deploy"
COMMANDS_MAX: Final = 10
TEN_MINUTES: Final = 660  # and a bit
WHERE: Final = "\x1e"  # before the folder and the variables that a command left


def commands() -> Iterator[tuple[str, str]]:
    """What is typed, and what is shown of its output."""
    for block in blocks_of(ROOT / "README.md"):
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                lines = re.match(r"((?:.*\\\n)*.*\n)((?:.*\n)*)", part)
                assert lines is not None
                yield lines[1].replace("\\\n", ""), lines[2]


class Terminal:
    """A shell whose folder and variables outlive a command."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        kept = {k: v for k, v in environment().items() if k != "VIRTUAL_ENV"}
        self.variables = {**kept, **server.environment, "PATH": f"{kept['PATH']}:{SAM / 'bin'}"}

    def type(self, command: str) -> str:
        """Run a command; what it wrote."""
        script = f"set -e\n{command}\nprintf '{WHERE}%s' \"$PWD\"; printf '{WHERE}'; env -0"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.variables, stdout=-1, stderr=-2,
            text=True, timeout=patience(600), check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}{done.stdout}"
        told, folder, variables = done.stdout.split(WHERE)
        self.folder = Path(folder)
        pairs = (line.partition("=") for line in variables.split("\0") if line)
        self.variables = {name: value for name, _, value in pairs}
        return told


def assert_shown(shown: str, told: str, command: str) -> None:
    """What is shown was told; `…` is anything in a line, and alone any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…" else f"{'.*?'.join(map(re.escape, line.split('…')))}\n"
        for line in shown.splitlines()
    )
    assert re.search(pattern, told), f"$ {command}{told}\n--- the README shows:\n{shown}"


def outputs_of(deployed: Deployed) -> str:
    """As `sam deploy` shows them, without their descriptions."""
    return "".join(f"Key    {key}\nValue  {value}\n" for key, value in deployed.outputs.items())


@pytest.mark.sam
@pytest.mark.thorough
async def test_the_readme_leads_from_nothing_to_a_stack_that_runs(
    tmp_path: Path, server: Server, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lambda-workflow").symlink_to(ROOT)
    terminal = Terminal(tmp_path, server)
    typed = list(commands())
    assert len(typed) < COMMANDS_MAX
    before = [command.strip() for command, _ in typed].index(DEPLOY)
    for command, shown in typed[:before]:
        told = await asyncio.to_thread(terminal.type, command)
        assert_shown(shown, told, command)
        if command.startswith("lambda-workflow init") and PYTHON != "3.13":
            await asyncio.to_thread(terminal.type, f"echo 'python = \"{PYTHON}\"' >> synth.toml")
    built = terminal.folder / ".aws-sam" / "build"
    assert list(built.glob("WorkflowFunction/shop/__pycache__/*.pyc"))
    deployed = await create(aws, (built / "template.yaml").read_text())
    assert_shown(typed[before][1], outputs_of(deployed), DEPLOY)
    monkeypatch.syspath_prepend(terminal.folder / "src")
    await run_on(deployed, terminal, typed[before + 1 :], server)


async def run_on(
    deployed: Deployed, terminal: Terminal, typed: list[tuple[str, str]], server: Server
) -> None:
    """What is typed once the stack is there; between two commands ten minutes pass."""
    app = load_app("shop.app:app")
    client = client_for(app, client_config(deployed))
    async with at_work(app, deployed) as run:
        for command, shown in typed:
            told = await asyncio.to_thread(terminal.type, command)
            assert_shown(shown, told, command)
            if "lambda-workflow start" in command:
                ending = asyncio.create_task(client.result("order-1", timeout=SOON))
                while not ending.done():
                    await asyncio.sleep(0.2)
                    await jump(server, run, TEN_MINUTES)
                assert await ending == 500
    await client.close()
