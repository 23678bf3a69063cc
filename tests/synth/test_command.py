"""`lambda-workflow synth`, as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import Done, call
from tests.patience import patience

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "lambda_workflow.cli", "synth"]
APP = "examples.greeter.app:app"


def synth(*words: str, cwd: Path = ROOT) -> Done:
    return call(cwd, "synth", *words)


def test_a_template_is_written_and_a_folder_for_it(tmp_path: Path) -> None:
    file = tmp_path / "infra" / "template.yaml"
    done = subprocess.run(
        [*COMMAND, APP, "--out", str(file)], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=patience(60), encoding="utf-8", env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert file.read_text().startswith(f"# Made by `lambda-workflow synth {APP}`")


def test_without_a_file_it_goes_to_standard_output() -> None:
    done = synth(APP, "--format", "terraform")
    assert done.returncode == 0
    assert '"aws_sqs_queue"' in done.stdout


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen([*COMMAND, APP], cwd=ROOT, stdout=-1, stderr=-1, text=True) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait(60) == 141


def test_the_options_beside_the_template_are_taken(tmp_path: Path) -> None:
    (tmp_path / "synth.toml").write_text("[workflow]\nmemory = 777\n")
    file = tmp_path / "template.yaml"
    assert synth(APP, "--out", str(file)).returncode == 0
    assert "MemorySize: 777" in file.read_text()


def test_options_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "production.toml").write_text("[workflow]\nmemory = 778\n")
    done = synth(APP, "--options", str(tmp_path / "production.toml"))
    assert "MemorySize: 778" in done.stdout


def test_a_diff_says_what_would_change(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    synth(APP, "--out", str(file))
    same = synth(APP, "--diff", str(file))
    assert (same.returncode, same.stdout) == (0, "")
    before = file.read_text()
    (tmp_path / "synth.toml").write_text("[workflow]\ntimeout = 40\n")
    other = synth(APP, "--diff", str(file))
    assert other.returncode == 1
    assert "-      Timeout: 30\n" in other.stdout
    assert "+      VisibilityTimeout: 240\n" in other.stdout
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((APP, "--diff", "nowhere.yaml"), "--diff nowhere.yaml: No such file"),
        ((APP, "--options", "nowhere.toml"), "nowhere.toml: No such file"),
        (("examples.greeter.app:nothing",), "give MODULE:APP"),
        ((APP, "--out", "a", "--diff", "b"), "not allowed with"),
        ((APP, "--out", "infra"), "--out infra: Is a directory"),
    ],
)
def test_wrong_use_is_told(words: tuple[str, ...], told: str) -> None:
    done = synth(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_app_of_ones_own_is_refused_with_the_file_to_write(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from lambda_workflow import App, Context, workflow\n\n\n"
        "@workflow\nasync def sell(ctx: Context, what: str) -> str:\n    return what\n\n\n"
        'app = App("shop", workflows=[sell])\n'
    )
    refused = synth("shop:app", cwd=tmp_path)
    assert refused.returncode == 2
    assert "write lambda_function.py with" in refused.stderr
    lines = [line.strip() for line in refused.stderr.splitlines()[1:4]]
    (tmp_path / "lambda_function.py").write_text("\n".join(lines))
    assert synth("shop:app", cwd=tmp_path).returncode == 0
