"""The pytest option: a folder of histories becomes tests, in a pytest of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugged import ROOT, run_pytest

GREETER = ROOT / "tests" / "histories" / "greeter.json"
BANK = ROOT / "tests" / "histories" / "bank_transaction.json"
APP = ["--lambda-workflow-app", "examples.greeter.app:app"]
CHANGED = """
from examples.greeter.app import GREETER, say_hello
from lambda_workflow import App, Context, workflow

@workflow
async def greet(ctx: Context, names: tuple[str, str]) -> str:
    return await ctx.call(GREETER, names[1])

app = App("changed", workflows=[greet], adapters=[say_hello])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "histories").mkdir()
    (tmp_path / "histories" / "greeter.json").write_text(GREETER.read_text())
    (tmp_path / "test_own.py").write_text('"""Own."""\ndef test_own():\n    assert True\n')
    (tmp_path / "changed.py").write_text(CHANGED)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def test_each_history_is_a_test_beside_the_others(folder: Path) -> None:
    done = run_pytest(folder, "--lambda-workflow-histories", "histories", *APP)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "replay[histories/greeter.json] PASSED" in done.stdout
    assert "2 passed" in done.stdout


def test_without_the_option_nothing_is_added(folder: Path) -> None:
    done = run_pytest(folder)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_configuration_file_may_name_them(folder: Path) -> None:
    (folder / "pytest.ini").write_text(
        "[pytest]\nlambda_workflow_histories = histories/*.json\n"
        "lambda_workflow_app = examples.greeter.app:app\n"
    )
    done = run_pytest(folder, "-k", "replay")
    assert "1 passed, 1 deselected" in done.stdout, done.stdout + done.stderr


def test_a_history_that_no_longer_replays_fails_with_the_difference_alone(folder: Path) -> None:
    (folder / "histories" / "bank.json").write_text(BANK.read_text())
    done = run_pytest(
        folder, "--lambda-workflow-histories", "histories", "--lambda-workflow-app", "changed:app"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed, 1 passed" in done.stdout
    assert "changed.py:7 calls `greeter` otherwise than the history has it" in done.stdout
    assert "- history: call 1 greeter(str of 3, 5 bytes, digest " in done.stdout
    assert "has no workflow 'transfer'" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--lambda-workflow-histories", "none", *APP], "finds no file"),
        (["--lambda-workflow-histories", "histories"], "needs --lambda-workflow-app"),
        (
            ["--lambda-workflow-histories", "histories", "--lambda-workflow-app", "absent:app"],
            "--lambda-workflow-app absent:app: No module named 'absent'",
        ),
        (
            ["--lambda-workflow-histories", "histories", "--lambda-workflow-app", "changed:greet"],
            "is a Workflow, not an App",
        ),
    ],
)
def test_wrong_use_is_told_without_a_stack(folder: Path, words: list[str], told: str) -> None:
    done = run_pytest(folder, *words)
    assert done.returncode == 4, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
