"""Golden histories: recorded executions that today's code must still be able to go on with."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from lambda_workflow.errors import ConfigurationError, WorkflowError
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.exported import read_history
from lambda_workflow.model.history import History
from lambda_workflow.model.payload_shown import values_shown
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.tools import Tools
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.lent import ReplayLogger, tools_for

Target = App | Workflow[Any, Any] | Sequence[Workflow[Any, Any]]

CODE: Final = "the App, or its workflow, or several versions of it in a list"
_SEPARATOR: Final = "\n\n"


def assert_replays(target: Target, *patterns: str | Path) -> list[Path]:
    """Replay exported histories with today's code; returns the files.

    Args:
        target: an App, which routes each history to its workflow and version and knows the
            services; or a workflow, or several versions of it.
        patterns: files, folders (all `.json` files in them) or globs (`histories/*.json`; `**` goes
            into folders), relative to the working directory.

    Raises:
        AssertionError: for each file that no longer replays its name, and what differs.
        ConfigurationError: a pattern finds nothing.
    """
    files = [file for pattern in patterns for file in find_histories(pattern)]
    if not files:
        raise ConfigurationError("assert_replays: name at least one file, folder or glob")
    app, tools = _furnished(target)
    failures = [(file, error) for file in files if (error := _replayed(app, tools, file))]
    if failures:
        told = _SEPARATOR.join(f"{file}: {error}" for file, error in failures)
        few = (
            f"{len(failures)} of {len(files)} histories no longer replay\n" if failures[1:] else ""
        )
        raise AssertionError(few + told) from failures[0][1]
    return files


def find_histories(pattern: str | Path) -> list[Path]:
    """The files of a file, folder or glob, in order.

    Raises:
        ConfigurationError: there are none.
    """
    path = Path(pattern)
    if path.is_dir():
        found = sorted(path.rglob("*.json"))
    elif path.is_file():
        found = [path]
    else:
        found = [Path(name) for name in sorted(glob.glob(str(pattern), recursive=True))]
        found = [file for file in found if file.is_file()]
    if not found:
        raise ConfigurationError(
            f"no histories: {str(pattern)!r} finds no file (from {Path.cwd()}); export one with "
            "`lambda-workflow history export ID --output FILE`"
        )
    return found


def _furnished(target: Target) -> tuple[App, Tools]:
    if isinstance(target, App):
        return target, tools_for(target)
    check_kind(target, (Workflow, Sequence), "what assert_replays replays with", CODE)
    workflows = [target] if isinstance(target, Workflow) else list(target)
    # services=None: only an App can know which ones there are
    return App("histories", workflows=workflows), Tools(Random, ReplayLogger, None)


def _replayed(app: App, tools: Tools, file: Path) -> WorkflowError | None:
    try:
        with values_shown(app.show_values):
            replay_history(app, read_history(file.read_text("utf-8")), tools)
    except WorkflowError as error:
        return error
    return None


def replay_history(app: App, history: History, tools: Tools | None = None) -> None:
    """Replay one history, whose payloads are in place; its last run, where it has several.

    Raises:
        NonDeterminismError: the code does not do what the history says.
        UnknownWorkflow: the App lacks the workflow, or the version that the history recorded.
        UnknownService: the App lacks a service that the code calls.
    """
    started = history.started
    name, version = (started.workflow, started.version) if started else ("", "")
    execution = Execution(
        app.workflow(name, version), history.execution_id, tools or tools_for(app)
    )
    try:
        execution.replay(history.run_turns())
    finally:
        execution.close()
