"""Ctrl-C while workflow code holds the event loop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.patience import patience

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "lambda_workflow.cli", "run"]

SPINNING = """
import asyncio, os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent may have it ignored
from lambda_workflow import App, Context, workflow
from lambda_workflow.local import Engine
from lambda_workflow.testing import simulate

@workflow
async def flow(ctx: Context, n: int) -> int:
    threading.Thread(target=press, daemon=True).start()
    while True:
        try:
            n += 0
        except ValueError:
            pass

def press():
    time.sleep(0.5)
    pressed.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

pressed = []
app = App("app", workflows=[flow])

async def engine():
    async with Engine(app, ":memory:", turn_seconds_max=None, guard=False) as engine:
        await (await engine.client.start(flow, 1)).result()

async def simulation():
    simulate(flow, 1, strict=False, turn_seconds_max=None)

async def web():
    "A server's handler notes that it is to stop, and looks at that now and then."
    stop = []
    signal.signal(signal.SIGINT, lambda *_: stop.append(1))
    async with Engine(app, ":memory:", turn_seconds_max=None, guard=False) as engine:
        await engine.client.start(flow, 1)
        while not stop:
            await asyncio.sleep(0.05)
    raise KeyboardInterrupt

try:
    if sys.argv[1] == "plain":
        simulate(flow, 1, strict=False, turn_seconds_max=None)
    else:
        asyncio.run(globals()[sys.argv[1]]())
except KeyboardInterrupt:
    late = time.monotonic() - pressed[0]
    print("stopped" if late < 3 else f"stopped after {late} s")
"""


def test_ctrl_c_stops_at_once() -> None:
    modes = ("engine", "web", "simulation", "plain")
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SPINNING, mode],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for mode in modes
    ]
    told = {}
    for mode, process in zip(modes, started, strict=True):
        told[mode] = process.communicate(timeout=patience(60))[0]
    assert told == dict.fromkeys(modes, "stopped\n")


def _listening() -> None:
    """In the child: Ctrl-C is not ignored, whatever it has inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_stops_the_command(tmp_path: Path) -> None:
    (tmp_path / "spinning.py").write_text(
        "from lambda_workflow import App, Context, workflow\n\n\n"
        "@workflow\nasync def flow(ctx: Context, n: int) -> int:\n"
        "    while True:\n        n += 0\n\n\napp = App('app', workflows=[flow])\n"
    )
    process = subprocess.Popen(
        [*COMMAND, "spinning:app", "flow", "--input", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_listening,  # noqa: PLW1509  # no other thread runs here
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "spinning.py" in line:  # the watchdog has named it
            break
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    told = process.communicate(timeout=patience(30))[1]
    assert process.returncode == 130, told
    assert time.monotonic() - began < patience(4)
