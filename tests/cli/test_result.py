"""`lambda-workflow result`: what an execution has come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Done, call

FLOW = """
from lambda_workflow import App, Context, ServiceError, workflow
from pydantic import BaseModel

class Sum(BaseModel):
    of: int

@workflow
async def add(ctx: Context, numbers: list[int]) -> Sum:
    if not numbers:
        raise ServiceError("nothing to add", type="Empty")
    return Sum(of=sum(numbers))

app = App("test", workflows=[add])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


def command(folder: Path, *words: str) -> Done:
    return call(folder, *words, "--db", "db")


def test_the_result_is_printed_as_json_and_a_failure_is_told(folder: Path) -> None:
    command(folder, "run", "flow:app", "add", "--input", "[1, 2]", "--id", "e")
    done = command(folder, "result", "flow:app", "e")
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"of": 3}\n', "")
    command(folder, "run", "flow:app", "add", "--input", "[]", "--id", "bad")
    failed = command(folder, "result", "flow:app", "bad")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "failed: Empty: nothing to add\n"


def test_what_has_not_ended_in_time_goes_on(folder: Path) -> None:
    command(folder, "start", "flow:app", "add", "--input", "[1]", "--id", "e")
    late = command(folder, "result", "flow:app", "e", "--timeout", "0")
    assert (late.returncode, late.stdout) == (1, "")
    assert "e" in late.stderr
