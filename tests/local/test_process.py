"""Whether another process is still there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lambda_workflow.local import process
from lambda_workflow.local.process import identity, is_gone

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
CHILD = "from lambda_workflow.local.process import identity\nprint(identity(), flush=True)\ninput()"


def test_this_process_is_there() -> None:
    assert not is_gone(identity())


def test_a_process_is_gone_as_soon_as_it_has_ended_waited_for_or_not() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        name = child.stdout.readline().strip()
        assert not is_gone(name)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is not reaped
        if Path("/proc/self/stat").exists():
            assert is_gone(name)
    assert is_gone(name)


@needs_proc
def test_another_process_with_the_same_id_is_another() -> None:
    boot, namespace, pid, start = identity().split(" ")
    assert is_gone(" ".join([boot, namespace, pid, str(int(start) - 1)]))


@needs_proc
def test_nothing_survives_a_boot() -> None:
    _, *rest = identity().split(" ")
    assert is_gone(" ".join(["another-boot", *rest]))


@needs_proc
def test_a_process_of_another_container_cannot_be_judged() -> None:
    boot, _, pid, start = identity().split(" ")
    assert not is_gone(" ".join([boot, "pid:[1]", pid, str(int(start) - 1)]))


def test_without_proc_the_process_id_alone_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_PROC", tmp_path)
    name = identity()
    assert name.startswith("- - ")
    assert not is_gone(name)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_gone(f"- - {ended.pid} -")
