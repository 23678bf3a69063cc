"""Each example gives what its README says, by the command that its README gives."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.command import ROOT, Done, call
from tests.patience import patience

RESULTS = {
    "bank_transaction": '"amount": "250.00"}',
    "expense_approval": '"nobody has answered"}',
    "greeter": '"Hello, Ada! Hello, Grace!"',
    "remind_user": "2",
    "trip_saga": '/3"}}',
}


def command(line: str, folder: Path, *words: str) -> Done:
    return call(ROOT, *line.split()[1:], "--db", str(folder / "db"), *words)


@pytest.mark.parametrize("name", sorted(RESULTS))
def test_the_command_of_the_readme_gives_the_result(name: str, tmp_path: Path) -> None:
    readme = (ROOT / "examples" / name / "README.md").read_text()
    (line,) = re.findall(r"^    (lambda-workflow run .*)$", readme, re.MULTILINE)
    done = command(line, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(RESULTS[name])
    assert "COMPLETED" in done.stderr


def test_a_failure_is_exit_code_1_and_says_why(tmp_path: Path) -> None:
    order = json.dumps({"source": "nobody", "target": "bob", "amount": "1"})
    line = "lambda-workflow run examples.bank_transaction.app:app transfer"
    done = command(line, tmp_path, "--input", order)
    assert done.returncode == 1
    assert "UnknownAccount" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["examples.nowhere:app", "greet", "--input", "1"], "examples.nowhere:app"),
        (["examples.greeter.app:app", "grete", "--input", "1"], "it has greet"),
        (["examples.greeter.app:app", "greet", "--input", "{"], "not JSON"),
        (["examples.greeter.app:app", "greet", "--input", "@missing.json"], "missing.json"),
        (["examples.greeter.app:app", "greet", "--input", '["a", 2]'], "--input"),
    ],
)
def test_wrong_use_is_exit_code_2_and_says_what_to_do(words: list[str], told: str) -> None:
    done = call(ROOT, "run", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupted_run_says_how_to_resume_and_resumes(tmp_path: Path) -> None:
    words = [
        "run", "examples.remind_user.app:app", "remind", "--id", "r1",
        "--input", "@examples/remind_user/reminder.json", "--db", str(tmp_path / "db"),
    ]  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-m", "lambda_workflow.cli", *words],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert child.stderr is not None
    for line in child.stderr:
        if "timer until" in line:
            break
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=patience(30))
    assert child.returncode == 130
    assert "--id r1" in told
    before = time.monotonic()
    done = call(ROOT, *words, "--skip-time")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2"
    assert time.monotonic() - before < 60
