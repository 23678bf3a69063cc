"""The pytest plugin: options of explorations, what a failed test shows, and what it costs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.plugged import run_pytest

TESTS = '''
"""Tests of an author."""
from lambda_workflow.testing import explore, fake, holds, simulate
from tests.testing.shop import CHARGE, SHIP, Order, Receipt, sell

SHIPPED = fake(SHIP).returns("shipped")

def bank():
    charged = []
    yield fake(CHARGE).runs(lambda order: Receipt(charged.append(order) or 7))
    yield SHIPPED
    yield holds(lambda run: len(charged) == 1)

def test_careless():
    explore(sell, Order("tea"), bank)

def test_sound():
    print(explore(sell, Order("tea"), fake(CHARGE).returns(Receipt(7)), SHIPPED).schedules, "tried")

def test_wrong():
    run = simulate(sell, Order("tea"), fake(CHARGE).returns(Receipt(7)), SHIPPED)
    assert run.result == "something else"
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_shop.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(folder: Path, *words: str) -> str:
    return run_pytest(folder, *words).stdout


def test_an_option_says_how_many_seeds_each_exploration_tries(folder: Path) -> None:
    assert "3 tried" in run(folder, "-s", "-k", "sound", "--lambda-workflow-seeds", "3")


def test_a_failed_exploration_prints_the_command_that_finds_it_again(folder: Path) -> None:
    said = run(folder, "-k", "careless")
    # where CI is set, pytest says a failure twice: whole in its short summary too
    (line,) = set(re.findall("search it again: .*", said))
    command = line.removeprefix("search it again: pytest ").replace('"', "").split()
    assert command[0] == "test_shop.py::test_careless"
    again = run(folder, *command)
    assert "1 failed" in again
    assert line in again


def test_a_failed_test_shows_what_happened_in_its_simulation(folder: Path) -> None:
    said = run(folder, "-k", "wrong")
    assert "simulation of sell" in said
    assert "turn 1: started sell" in said
    assert "259200.000 s" in said


def test_a_test_run_without_workflows_does_not_import_the_engine(folder: Path) -> None:
    (folder / "test_shop.py").write_text(
        "import sys\ndef test_own():\n    assert 'lambda_workflow' not in sys.modules\n"
        "    assert 'pytest_lambda_workflow' in sys.modules\n"
    )
    assert "1 passed" in run(folder)
