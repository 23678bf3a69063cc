"""What an App uses: the services it serves and those it calls elsewhere, the Apps it calls.

Services stand in the App. Workflows of other Apps do not: they are found where the workflows' code
names them, in the same way in which Python would find them when it runs. So are services that the
App should list and does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from lambda_workflow.aws.synth.options import Options
from lambda_workflow.model.service import Service
from lambda_workflow.replay.workflow import RemoteWorkflow, Workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.scheduler import WORKFLOW as SCHEDULES


@dataclass(frozen=True, slots=True)
class Uses:
    """What an App uses, sorted by name.

    Attributes:
        served: the services that it has adapters for.
        elsewhere: those that it calls, and another stack serves.
        apps: those whose workflows it calls.
        callers: those that call its services or workflows.
        unlisted: workflows, and services that their code names and the App does not list.
    """

    workflows: bool
    served: tuple[Service[Any, Any], ...]
    elsewhere: tuple[str, ...]
    apps: tuple[str, ...]
    callers: tuple[str, ...]
    schedules: bool
    unlisted: tuple[tuple[str, str], ...]


def uses_of(app: App, options: Options) -> Uses:
    """Look at an App."""
    named = [(flow.name, part) for flow in app.workflows.values() for part in _parts(flow.function)]
    remote = {part.app for _, part in named if isinstance(part, RemoteWorkflow)}
    called = {(flow, part.name) for flow, part in named if isinstance(part, Service)}
    return Uses(
        bool(app.workflows),
        tuple(app.services[name] for name in sorted(app.adapters)),
        tuple(sorted(set(app.services) - set(app.adapters))),
        tuple(sorted((remote | set(options.apps)) - {app.name})),
        tuple(sorted(set(options.callers) - {app.name})),
        SCHEDULES in app.workflows,
        tuple(sorted((flow, name) for flow, name in called if name not in app.services)),
    )


def _parts(function: Any) -> Iterator[RemoteWorkflow[Any, Any] | Service[Any, Any]]:
    """What is called that a function names, and the functions that it names, and so on."""
    todo: list[Any] = [function]
    seen: set[int] = set()
    while todo:
        found = todo.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, RemoteWorkflow | Service):
            yield found
        elif isinstance(found, Workflow):
            todo.append(found.function)
        elif isinstance(found, list | tuple):
            todo += found
        elif isinstance(found, dict):
            todo += found.values()
        elif isinstance(found, FunctionType) and not found.__module__.startswith("lambda_workflow"):
            todo += _named_in(found)


def _named_in(function: FunctionType) -> Iterator[Any]:
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for name in sorted(names):
        found = function.__globals__.get(name)
        yield found
        if isinstance(found, ModuleType):
            yield from (getattr(found, other, None) for other in sorted(names))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
