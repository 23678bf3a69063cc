"""`lambda-workflow run`, as a user types it: in a pipe, on a terminal, stopped and resumed."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.patience import patience

ROOT = Path(__file__).parents[2]
FLOW = """
import asyncio, os
from datetime import timedelta
from lambda_workflow import App, Context, RetryPolicy, Service, ServiceError, Task, serve, workflow

QUICK = RetryPolicy(attempts=3, initial=timedelta(milliseconds=5))
FIRST = Service("first", list[str], list[str], retry=QUICK)
OTHER = Service("other", list[str], list[str])
CHANGED = os.environ.get("CHANGED")
SLEEP = float(os.environ.get("SLEEP", "0.01"))

@workflow
async def flow(ctx: Context, words: list[str]) -> list[str]:
    service = OTHER if CHANGED else FIRST
    ctx.logger.info("asks %s", service.name)
    words = await ctx.call(service, words)
    await asyncio.sleep(SLEEP)
    return await ctx.step(sorted, words)

@serve(FIRST)
def first(words: list[str], task: Task) -> list[str]:
    if task.attempt == 1:
        raise ServiceError("try [again]", type="Flaky")
    return [*words, "first"]

@serve(OTHER)
def other(words: list[str]) -> list[str]:
    return words

app = App("test", workflows=[flow], adapters=[first, other])
"""
COMMAND = [sys.executable, "-m", "lambda_workflow.cli", "run", "flow:app", "flow"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--input", '["z"]', *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **variables},
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=False,
    )


def interrupt(folder: Path, *words: str, after: str, **variables: str) -> tuple[int, str]:
    """Press Ctrl-C once the command has written `after`."""
    process = subprocess.Popen(
        [*COMMAND, "--input", '["z"]', *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if after in line:
            break
    process.send_signal(signal.SIGINT)
    told, _ = process.stderr.read(), process.wait(patience(30))
    process.stderr.close()
    return process.returncode, "".join(lines) + told


def on_a_terminal(folder: Path, *words: str) -> str:
    """What the command draws on a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--input", '["z"]', *words],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
            "COLUMNS": "120",
            "SLEEP": "0.5",
        },
        stdout=subprocess.DEVNULL,
        stderr=follower,
    )
    os.close(follower)
    drawn = b""
    while True:
        try:
            some = os.read(leader, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not some:
            break
        drawn += some
    os.close(leader)
    assert process.wait(patience(30)) == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode())


def test_lines_say_what_happens_and_the_result_alone_is_output(folder: Path) -> None:
    done = run(folder, "--id", "one", "--history", "--values")
    assert done.returncode == 0
    assert done.stdout == '["first", "z"]\n'
    for words in (
        'started flow(["z"])',
        '→  1      first(["z"])',
        "✗  1      first attempt 1: Flaky: try [again]",
        "→  1      first attempt 2",
        "step sorted",
        "one: COMPLETED in",
    ):
        assert words in done.stderr
    table = done.stderr[done.stderr.index("┏") :]
    assert "try [again]" in table


def test_a_terminal_shows_a_table_that_changes(folder: Path) -> None:
    drawn = on_a_terminal(folder, "--id", "one", "--values")
    last = drawn[drawn.rindex('flow(["z"])') :]
    assert 'completed: ["first","z"]' in last
    assert re.search(r'✓ 1 first\(\["z"\]\) +\["z", ?"first"\]', last)
    assert re.search(r"✓ 2 timer +fired", last)
    assert re.search(r'✓ 3 step sorted +\["first", ?"z"\]', last)
    assert re.search(r"2 timer +until \d{4}-", drawn)  # while it waited


def test_ctrl_c_leaves_an_execution_that_the_printed_command_finishes(folder: Path) -> None:
    code, told = interrupt(folder, after="timer until", SLEEP="1")
    assert code == 130
    (again,) = re.findall(r"^  lambda-workflow run .*--id (flow-\w+) --db", told, re.MULTILINE)
    done = run(folder, "--id", again, SLEEP="1")
    assert done.returncode == 0
    assert "first(" not in done.stderr  # it had its result
    assert done.stdout == '["first", "z"]\n'


def test_ctrl_c_says_what_it_waits_for(folder: Path) -> None:
    slow = FLOW.replace("return [*words,", "import time; time.sleep(1); return [*words,")
    (folder / "flow.py").write_text(slow)
    code, told = interrupt(folder, after="attempt 2")
    assert code == 130
    assert told.index("what is at work may end") < told.index("nothing is lost. To go on:")


ADDRESSES = {
    "nowhere:app": (2, "No module named 'nowhere'; give MODULE:APP"),
    "flow:nothing": (2, "has no attribute 'nothing'; give MODULE:APP"),
    "flow:flow": (2, "flow:flow is a Workflow, not an App"),
    ":app": (2, "give MODULE:APP"),
    "broken:app": (1, 'broken.py", line 1'),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_wrong_address_is_explained_and_a_broken_module_keeps_its_traceback(
    folder: Path, address: str
) -> None:
    (folder / "broken.py").write_text("import not_installed\n")
    command = [*COMMAND[:-2], address, "flow", "--input", "1"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    code, words = ADDRESSES[address]
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert ("Traceback" in done.stderr) == (code == 1)


def test_a_changed_workflow_is_blocked_and_goes_on_once_it_is_mended(folder: Path) -> None:
    interrupt(folder, "--id", "one", after="timer until", SLEEP="1")
    blocked = run(folder, "--id", "one", CHANGED="1")
    assert blocked.returncode == 1
    assert "flow.py:16 calls `other` where the history has `first`" in blocked.stderr
    assert "one: BLOCKED" in blocked.stderr
    assert "--id one" in blocked.stderr.rpartition("go on where it stopped:")[2]
    mended = run(folder, "--id", "one")
    assert mended.returncode == 0
    assert mended.stdout == '["first", "z"]\n'


def test_time_can_be_skipped(folder: Path) -> None:
    before = time.monotonic()
    done = run(folder, "--skip-time", SLEEP="172800")
    assert done.returncode == 0
    assert time.monotonic() - before < 60
    assert done.stdout == '["first", "z"]\n'


def test_without_its_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('no rich', name='rich')\n")
    done = run(tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 2
    assert "pip install 'lambda-workflow[cli]'" in done.stderr


def test_a_long_step_is_shown_while_it_runs_and_once(folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import pathlib, time\n"
        "from lambda_workflow import App, Context, workflow\n"
        "def waits(n: int) -> int:\n"
        "    while not pathlib.Path('go').exists():\n"
        "        time.sleep(0.01)\n"
        "    return n\n"
        "@workflow\n"
        "async def flow(ctx: Context, n: int) -> int:\n"
        "    return await ctx.step(waits, n)\n"
        "app = App('slow', workflows=[flow])\n"
    )
    process = subprocess.Popen(
        [*COMMAND[:4], "slow:app", "flow", "--input", "1"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    lines: list[str] = []
    with process, process.stderr or sys.stdin as told:
        for line in told:
            lines.append(line)
            if "step waits" in line:
                (folder / "go").touch()
    assert process.returncode == 0
    assert sum("→  1      step waits" in line for line in lines) == 1
    assert any("✓  1      waits = int" in line for line in lines)


def test_what_the_workflow_logs_is_shown_once(folder: Path) -> None:
    done = run(folder)
    assert done.stderr.count("asks first\n") == 1


def test_time_is_not_skipped_for_others(folder: Path) -> None:
    interrupt(folder, "--id", "sleeper", after="timer", SLEEP="172800")
    refused = run(folder, "--id", "mine", "--skip-time")
    assert refused.returncode == 2
    assert "also holds execution sleeper, which is RUNNING" in refused.stderr
    own = run(folder, "--id", "mine", "--skip-time", "--db", "own.db", SLEEP="172800")
    assert own.returncode == 0


BUGGY = """
import os
from lambda_workflow import App, Context, workflow

@workflow
async def flow(ctx: Context, words: list[str]) -> str:
    word = min(words)
    return name_of(word)

def name_of(word: str) -> str:
    return {"z": "zed"}[word + WRONG]

WRONG = os.environ.get("WRONG", "")
app = App("test", workflows=[flow])
"""


def test_a_bug_prints_its_traceback_and_the_corrected_code_goes_on(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(BUGGY)
    buggy = run(tmp_path, "--id", "one", WRONG="secret")
    assert (buggy.returncode, buggy.stdout) == (1, "")
    assert "blocked: WorkflowBug: KeyError at flow.py:11 in workflow `flow`" in buggy.stderr
    head, _, rest = buggy.stderr.partition("Traceback (most recent call last):\n")
    trace, _, way_on = rest.partition("mend the code, then go on where it stopped:\n")
    assert trace == (
        '  File "flow.py", line 8, in flow\n    return name_of(word)\n'
        '  File "flow.py", line 11, in name_of\n    return {"z": "zed"}[word + WRONG]\n'
        "KeyError\n"
    )
    assert "one: BLOCKED" in head
    assert "secret" not in buggy.stderr
    told = run(tmp_path, "--id", "one", "--values", WRONG="secret")
    assert "KeyError: 'zsecret'\nmend the code" in told.stderr
    typed = shlex.split(way_on)
    assert typed[:4] == ["lambda-workflow", "run", "flow:app", "flow"]
    mended = subprocess.run(
        [*COMMAND[:3], *typed[1:]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (mended.returncode, mended.stdout) == (0, '"zed"\n')
