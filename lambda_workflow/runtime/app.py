"""The App: the workflows, services and adapters deployed together. There is no registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from lambda_workflow.errors import ConfigurationError, UnknownWorkflow
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.bugs import BUGS, check_bugs
from lambda_workflow.model.ids import check_name
from lambda_workflow.model.service import Service
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.schedule import Schedule
from lambda_workflow.runtime.scheduler import schedule_workflow
from lambda_workflow.runtime.serve import Adapter
from lambda_workflow.runtime.versions import UNROUTED, by_version, newest, routed

APP: Final = "an App, as in app = App(…, workflows=[…])"
Named = TypeVar("Named")
Part = TypeVar("Part")


class App:
    """What one deployment can run.

    Args:
        name: 1 to 64 letters, digits, '-' and '_'.
        workflows: what it runs; of several versions of one name the newest last. None where it
            does nothing but serve.
        services: what its workflows may call; a call to another fails with the line to add.
        adapters: the services it serves itself (`@serve`); they count as listed.
        schedules: what starts workflows by itself; `client.schedules.apply()` makes them. An empty
            list for an App whose schedules are all made by `client.schedules.create`. Only one App
            on a table, or on an engine's file, has schedules.
        version: a label that executions of workflows without a version record, such as a commit.
        bugs: the exceptions of workflow code that block an execution and do not fail it; see BUGS.
        show_values: let the texts of errors, reasons and logs have values of payloads in them; by
            default they have types, paths, sizes and digests.

    Raises:
        ConfigurationError: two parts have one name, a name is not legal, the versions of a
            workflow are listed newest first, or a schedule starts a workflow that is not listed.
    """

    def __init__(
        self,
        name: str,
        *,
        workflows: Sequence[Workflow[Any, Any]] = (),
        services: Sequence[Service[Any, Any]] = (),
        adapters: Sequence[Adapter[Any, Any]] = (),
        schedules: Sequence[Schedule[Any]] | None = None,
        version: str = "",
        bugs: tuple[type[BaseException], ...] = BUGS,
        show_values: bool = False,
    ) -> None:
        self.name: Final = check_name("app", name)
        self.version: Final = version
        self.show_values: Final = show_values
        found = _parts("schedules", schedules or (), Schedule, "Schedules")
        self.schedules: Final = _by_name("schedule", ((s.name, s) for s in found))
        self.bugs: Final = check_bugs(bugs, f"app {name!r}")
        workflows = _parts("workflows", workflows, Workflow, "workflows, made by `@workflow`")
        services = _parts("services", services, Service, "Services")
        adapters = _parts("adapters", adapters, Adapter, "adapters, made by `@serve`")
        keeper = [] if schedules is None else [schedule_workflow(self.schedules)]
        self.versions: Final = by_version([*workflows, *keeper])
        self.workflows: Final = MappingProxyType({n: newest(v) for n, v in self.versions.items()})
        self.adapters: Final = _by_name("adapter", ((a.service.name, a) for a in adapters))
        listed = {id(s): s for s in [*services, *(a.service for a in adapters)]}
        self.services: Final = _by_name("service", ((s.name, s) for s in listed.values()))
        _check_variables(self.services)
        for schedule in self.schedules.values():
            self.check_newest(schedule.workflow)

    def workflow(self, name: str, recorded: str | None = None) -> Workflow[Any, Any]:
        """The workflow of a name: the newest, or the code of an execution.

        Args:
            recorded: the version that the execution recorded when it started.

        Raises:
            UnknownWorkflow: there is none; the message names those there are.
        """
        versions = self.versions.get(name)
        if versions is None:
            raise UnknownWorkflow(
                f"app {self.name!r} has no workflow {name!r}; it has "
                f"{', '.join(sorted(self.workflows)) or 'none'}: add it to App(workflows=[…])"
            )
        return newest(versions) if recorded is None else routed(versions, recorded)

    def code_of(self, name: str, recorded: str) -> Workflow[Any, Any]:
        """What an execution's payloads are read with: its own version's code, else the newest."""
        versions = self.versions.get(name, {})
        return versions.get(recorded) or self.workflow(name)

    def check_newest(self, workflow: Workflow[Any, Any]) -> None:
        """Whether a new execution of its name would run it.

        Raises:
            UnknownWorkflow: there is none of its name, or a newer version is listed.
        """
        last = self.workflow(workflow.name)
        if last.version != workflow.version:
            raise UnknownWorkflow(
                f"workflow {workflow.name!r}: new executions run version {last.version!r}, the "
                f"last that App {self.name!r} lists, and this is version {workflow.version!r}: "
                "start the newest"
            )

    def owner_of(self, workflow: str) -> App:
        """The App whose services and workflows a workflow may call: this one; see `Apps`."""
        return self

    def version_of(self, name: str) -> str:
        """What a new execution of a workflow records."""
        found = self.workflows.get(name)
        return UNROUTED if found is None else found.version or self.version


def _by_name(kind: str, parts: Iterable[tuple[str, Named]]) -> Mapping[str, Named]:
    found: dict[str, Named] = {}
    for name, part in parts:
        if name in found:
            raise ConfigurationError(f"two {kind}s are named {name!r}: give one another name")
        found[name] = part
    return MappingProxyType(found)


def _parts(what: str, parts: Iterable[Part], kind: type, give: str) -> list[Part]:
    check_kind(parts, Iterable, f"App({what}=…)", f"a list of {give}")
    listed = list(parts)
    for part in listed:
        check_kind(part, kind, f"a part of App({what}=[…])", give)
    return listed


def _check_variables(names: Iterable[str]) -> None:
    """On AWS a service's queue stands in a variable of its name, where `-` and `_` are one."""
    known: dict[str, str] = {}
    for name in names:
        variable = name.upper().replace("-", "_")
        if variable in known:
            raise ConfigurationError(
                f"services {known[variable]!r} and {name!r} share the variable {variable} of their "
                "queues on AWS: give one another name"
            )
        known[variable] = name
