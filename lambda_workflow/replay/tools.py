"""What the host lends to a replay, which may not have it by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.bugs import BUGS
from lambda_workflow.model.payload import Json
from lambda_workflow.model.service import Service

if TYPE_CHECKING:
    import logging
    import random  # noqa: TID251  # the type alone; the host lends the generator


@dataclass(frozen=True, slots=True)
class Info:
    """What a workflow may know of its own execution.

    Attributes:
        attempt: which attempt of this execution runs, from 1.
        started_at: when it was started, in UTC.
        version: the code version that the App recorded when it started.
        run: which run of the execution this is, from 1; see `ctx.continue_as_new`.
        tags, memo: what it was started with.
    """

    execution_id: str
    workflow: str
    attempt: int
    started_at: datetime
    version: str
    run: int = 1
    tags: Mapping[str, str] = field(default_factory=dict)
    memo: Json = None


class Guards(Protocol):
    """What watches the code that it is entered around.

    Attributes:
        refused: what it has refused since it was entered.
        pause: do not watch what follows: it is this package's own code.
        resume: watch again.
    """

    pause: Callable[[], None]
    resume: Callable[[], None]

    @property
    def refused(self) -> WorkflowError | None: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """Lent by the runtime.

    Attributes:
        make_random: a generator from a seed, the same for the same seed.
        make_logger: a logger that is silent while the given function says so.
        services: the App's services, by name; None lets every service pass.
        workflows: the names of the App's workflows; None lets every one pass.
        bugs: the exceptions of workflow code that block it; a workflow's own set counts first.
        around: entered, paused, around each drain of workflow code (the guard).
        strict: a call that was never awaited fails the execution instead of a warning.
        watched: runs the code of an execution under the watchdog; what it returns blocks the
            execution.
        app, version: the App's name and the label of its code, for what is said of it.
    """

    make_random: Callable[[str], random.Random]
    make_logger: Callable[[Info, Callable[[], bool]], logging.LoggerAdapter[Any]]
    services: Mapping[str, Service[Any, Any]] | None = None
    around: Callable[[], AbstractContextManager[Guards]] | None = None
    strict: bool = field(default=False)
    workflows: frozenset[str] | None = None
    bugs: tuple[type[BaseException], ...] = BUGS
    watched: Callable[[Any, Callable[[], None]], WorkflowError | None] | None = None
    app: str = ""
    version: str = ""
