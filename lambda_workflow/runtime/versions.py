"""Which code of a workflow runs an execution: new ones the newest, running ones their own.

Laws
 1. An execution records a version when it starts, and is replayed by the code of that version
    only, whatever else is registered.
 2. The versions of a name are listed oldest first; a new execution records the last of them.
 3. A workflow without a version of its own takes every execution of its name that no other one is
    registered for: those that began before versions came, or under an App's own label.
 4. An execution that began while its workflow was missing belongs to the oldest version listed:
    adding a version does not move it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from lambda_workflow.errors import ConfigurationError, UnknownWorkflow
from lambda_workflow.replay.workflow import Workflow

UNROUTED: Final = "?"  # recorded where the workflow was missing at the start; no legal version
_NUMBERED: Final = re.compile(r"v?(\d+(?:\.\d+)*)", re.ASCII)

Versions = Mapping[str, Workflow[Any, Any]]


def by_version(workflows: Iterable[Workflow[Any, Any]]) -> Mapping[str, Versions]:
    """The workflows by name, and those of one name by version, oldest first.

    Raises:
        ConfigurationError: two have one name and version, or a higher number stands before a lower.
    """
    found: dict[str, dict[str, Workflow[Any, Any]]] = {}
    for workflow in workflows:
        versions = found.setdefault(workflow.name, {})
        if workflow.version in versions:
            raise ConfigurationError(_twice(workflow))
        versions[workflow.version] = workflow
    for name, versions in found.items():
        for before, after in pairwise(versions):
            earlier, later = _rank(before), _rank(after)
            if later == () or (earlier and later and earlier > later):
                raise ConfigurationError(
                    f"workflow {name!r}: version {before!r} is listed before "
                    f"{repr(after) if after else 'the code without a version'}; list the oldest "
                    "first: the last one is what new executions run"
                )
    return MappingProxyType({name: MappingProxyType(found[name]) for name in found})


def newest(versions: Versions) -> Workflow[Any, Any]:
    """What new executions run."""
    return list(versions.values())[-1]


def routed(versions: Versions, recorded: str) -> Workflow[Any, Any]:
    """The code of an execution that recorded this version.

    Raises:
        UnknownWorkflow: it is not registered any more.
    """
    if recorded == UNROUTED:
        return versions.get("") or next(iter(versions.values()))
    found = versions.get(recorded) or versions.get("")
    if found is not None:
        return found
    name = newest(versions).name
    began = f"version {recorded!r}" if recorded else "code that had no version"
    mend = f'@workflow(name="{name}", version="{recorded}")' if recorded else "without a version"
    raise UnknownWorkflow(
        f"workflow {name!r}: this execution began with {began}, and App has version "
        f"{', '.join(map(repr, versions))} only: list the earlier code as well, {mend}, "
        "until its last execution has ended; this one goes on with its next message or a redrive"
    )


def _twice(workflow: Workflow[Any, Any]) -> str:
    if workflow.version:
        return (
            f"two workflows are named {workflow.name!r} with version {workflow.version!r}: "
            "give one another version, or another name"
        )
    return (
        f"two workflows are named {workflow.name!r}: give one another name, or, if it is the same "
        f'workflow with newer code, a version: @workflow(name="{workflow.name}", version="2")'
    )


def _rank(version: str) -> tuple[int, ...] | None:
    """So that 2 comes before 10, and none before any; words have no order but the list's."""
    if not version:
        return ()
    numbered = _NUMBERED.fullmatch(version)
    return tuple(map(int, numbered[1].split("."))) if numbered else None
