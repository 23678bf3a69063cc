"""What the pytest option does that replays a folder of histories, each as a test of its own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.runtime.app import App
from lambda_workflow.testing.histories import assert_replays, find_histories

_APP: Final = "lambda_workflow_app"


def add_histories(
    session: pytest.Session, items: list[pytest.Item], folders: Sequence[str]
) -> None:
    """Add a test for each file; the plugin calls this once pytest has collected its own."""
    config = session.config
    try:
        app = _app(config.getoption(_APP) or config.getini(_APP), config.rootpath)
        files = [file for folder in folders for file in find_histories(config.rootpath / folder)]
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error
    items += _items(session, app, files)


def _items(session: pytest.Session, app: App, files: list[Path]) -> Iterator[pytest.Item]:
    for file in files:
        shown = os.path.relpath(file, session.config.rootpath)
        item = HistoryItem.from_parent(session, name=f"replay[{shown}]")
        item.app, item.file = app, file
        yield item


class HistoryItem(pytest.Item):
    """The replay of one exported history."""

    app: App
    file: Path

    def runtest(self) -> None:
        """Replay it."""
        assert_replays(self.app, self.file)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The difference alone: no line of this package explains it better."""
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test stands."""
        return self.file, None, self.name


def _app(address: str, root: Path) -> App:
    module, _, name = address.partition(":")
    if not module:
        raise ConfigurationError("--lambda-workflow-histories needs --lambda-workflow-app too")
    if str(root) not in sys.path:
        sys.path.append(str(root))  # `pytest` alone, unlike `python -m pytest`, leaves it out
    try:
        found = getattr(importlib.import_module(module), name or "app")
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"--lambda-workflow-app {address}: {error}") from error
    if not isinstance(found, App):
        raise ConfigurationError(
            f"--lambda-workflow-app {address} is a {type(found).__name__}, not an App"
        )
    return found
