"""What users can set or name is documented, and what is documented exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import lambda_workflow
from lambda_workflow.aws.config import PREFIX, VARIABLES
from tests.docs.blocks import PAGES, ROOT
from tests.docs.reference import reference

LINK = re.compile(r"\]\((?!https?://)([^)#]+)")


def test_every_variable_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    named = set(re.findall(rf"`{PREFIX}(\w+)`", text))
    assert named == set(VARIABLES)


@pytest.mark.parametrize("name", lambda_workflow.__all__)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    text = (ROOT / "docs" / "reference.md").read_text()
    assert re.search(rf"^### `{name}\b", text, re.MULTILINE)


def test_the_reference_is_what_the_docstrings_say() -> None:
    committed = (ROOT / "docs" / "reference.md").read_text()
    assert committed == reference(), "run: python -m tests.docs.reference > docs/reference.md"


ACTIONS = ("preview", "apply", "list", "show", "pause", "resume", "trigger", "backfill", "delete")


@pytest.mark.parametrize(
    "command",
    [
        *("run", "start", "init", "synth", "cancel", "terminate", "pause", "resume"),
        *("history show", "history export"),
        *("list", "describe", "signal", "update", "query"),
        *(f"schedule {action}" for action in ACTIONS),
    ],
)
def test_the_command_lines_help_is_in_its_page(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lambda_workflow.cli", *command.split(), "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT, env={"COLUMNS": "100"},
    )  # fmt: skip
    page = (ROOT / "docs" / "cli.md").read_text()
    action = command.split()[-1]
    assert f"## `lambda-workflow {command}" in page or f"| `{action}" in page
    for option in re.findall(r"--[a-z-]+", done.stdout):
        assert f"`{option}" in page, option


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target
