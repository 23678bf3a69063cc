"""The pytest plugin of lambda-workflow, loaded by its entry point wherever that is installed.

It stands beside the package so that a test run which has nothing to do with workflows does not pay
for importing it: each hook imports what it needs when it is first needed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

import pytest

_LINES_SHOWN = 25  # of the beginning, and as many of the end
_WIDTH_MAX = 160
_SIMULATING: Final = "lambda_workflow.testing.simulating"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; those of histories may also stand in the configuration file."""
    group = parser.getgroup("lambda-workflow")
    group.addoption(
        "--lambda-workflow-histories",
        action="append",
        metavar="DIR",
        help="replay each exported history of a folder, file or glob as a test",
    )
    group.addoption(
        "--lambda-workflow-app",
        metavar="MODULE:APP",
        help="the App whose code replays them, such as examples.greeter.app:app",
    )
    group.addoption(
        "--lambda-workflow-seeds",
        type=int,
        metavar="N",
        help="how many schedules each explore() tries, whatever the test says",
    )
    group.addoption(
        "--lambda-workflow-seed",
        type=int,
        metavar="SEED",
        help="the one schedule that each explore() tries, as a failed one prints it",
    )
    parser.addini(
        "lambda_workflow_histories", "the same as --lambda-workflow-histories", "args", default=[]
    )
    parser.addini("lambda_workflow_app", "the same as --lambda-workflow-app", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Hand the options of explorations on."""
    seeds = config.getoption("--lambda-workflow-seeds")
    seed = config.getoption("--lambda-workflow-seed")
    if seeds is not None or seed is not None:
        from lambda_workflow.testing.exploring import Chosen, Settings

        Chosen.settings = Settings(seeds, seed)


@pytest.hookimpl(tryfirst=True)  # before -k and the like choose
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add a test for each history."""
    config = session.config
    name = "lambda_workflow_histories"
    if folders := config.getoption(name) or config.getini(name):
        from lambda_workflow.testing.histories_plugin import add_histories

        add_histories(session, items, folders)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Show what happened in the simulations of a test that fails."""
    if simulating := sys.modules.get(_SIMULATING):
        simulating.RECENT.clear()
    try:
        yield
    except BaseException:
        if simulating := sys.modules.get(_SIMULATING):
            for simulation in simulating.RECENT:
                title = f"simulation of {simulation.workflow.name}"
                told = _bounded(list(simulation.look().timeline))
                item.add_report_section("call", title, "\n".join(told))
        raise
    finally:
        if simulating := sys.modules.get(_SIMULATING):
            simulating.RECENT.clear()


def _bounded(lines: list[str]) -> list[str]:
    """The beginning and the end of what happened, where it is long; long lines are cut."""
    lines = [line if len(line) <= _WIDTH_MAX else f"{line[:_WIDTH_MAX]} …" for line in lines]
    if (left_out := len(lines) - 2 * _LINES_SHOWN) <= 0:
        return lines
    note = f"… {left_out} lines are left out; `simulation.look().timeline` has all of them …"
    return [*lines[:_LINES_SHOWN], note, *lines[-_LINES_SHOWN:]]
