"""What users can set or name is documented, and what is documented exists."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

import lambda_workflow
from lambda_workflow import Task
from lambda_workflow.aws.config import PREFIX, VARIABLES
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.wire import render_task
from tests.cli.command import call
from tests.docs.blocks import PAGES, ROOT
from tests.docs.reference import reference

LINK = re.compile(r"\]\((?!https?://)([^)#]+)")


def test_every_variable_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    named = set(re.findall(rf"`{PREFIX}(\w+)`", text))
    assert named == set(VARIABLES)


def test_every_field_of_a_task_is_in_the_guide_for_other_languages() -> None:
    full = Task(
        "e", "e/1", "s", 1, 2, "https://sqs.example.com/q", 3, 4, False, True, 5, 6, 7, 8, 9
    )
    blob = Task("e", "e/1", "s", BlobRef("k", "d", 1), 1)
    assert all(getattr(full, one.name) != one.default for one in fields(Task))
    text = (ROOT / "docs" / "how-to" / "write-a-service-adapter.md").read_text()
    written = json.loads(render_task(full)) | json.loads(render_task(blob))
    named = set(re.findall(r"^\| `(\w+)` \| [\w ]+ \|", text, re.MULTILINE))
    assert named == set(written)


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
        *("run", "start", "result", "init", "synth", "cancel", "terminate", "pause", "resume"),
        *("history show", "history export"),
        *("list", "describe", "signal", "update", "query"),
        *(f"schedule {action}" for action in ACTIONS),
    ],
)
def test_the_command_lines_help_is_in_its_page(command: str) -> None:
    done = call(ROOT, *command.split(), "--help", variables={"COLUMNS": "100"})
    assert done.returncode == 0
    page = (ROOT / "docs" / "cli.md").read_text()
    action = command.split()[-1]
    assert f"## `lambda-workflow {command}" in page or f"| `{action}" in page
    for option in re.findall(r"--[a-z-]+", done.stdout):
        assert f"`{option}" in page, option


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target
