"""What the runtime lends to the replay: randomness from a seed, loggers, the strict guard."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, MutableMapping
from typing import Any

from lambda_workflow.ports import Happening, Quiet
from lambda_workflow.replay.tools import Info, Tools
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.watchdog import Watch


class ReplayLogger(logging.LoggerAdapter[logging.Logger]):
    """The workflow's logger: each record carries the execution, and none is written on replay."""

    def __init__(self, info: Info, is_live: Callable[[], bool]) -> None:
        fields = {"execution_id": info.execution_id, "workflow": info.workflow}
        super().__init__(logging.getLogger(f"lambda_workflow.workflow.{info.workflow}"), fields)
        self._is_live = is_live

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # the name is logging's
        """Whether a record of this level is written now."""
        return self._is_live() and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the execution's fields to the caller's own `extra`."""
        return msg, {**kwargs, "extra": {**(self.extra or {}), **kwargs.get("extra", {})}}


def tools_for(
    app: App, *, guard: bool = False, strict: bool = False, watch: Watch | None = None
) -> Tools:
    """The tools for an App's executions.

    Args:
        watch: the watchdog over them; one with the usual limits, and without an observer, if None.
    """
    around = None
    if guard:
        from lambda_workflow.runtime.guard import Guard

        observer = watch.observer if watch is not None else Quiet()

        def told(line: str, words: str) -> None:
            observer.notify(Happening("repeats", "", fields={"line": line, "call": words}))

        guarding = Guard(told=told).paused()

        def around() -> Guard:
            return guarding

    names = frozenset(app.workflows)
    watched = (watch or Watch()).run
    return Tools(
        random.Random, ReplayLogger, app.services, around, strict, names, app.bugs, watched,
        app.name, app.version,
    )  # fmt: skip
