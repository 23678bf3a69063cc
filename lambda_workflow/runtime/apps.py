"""Several Apps that one host runs: an embedded engine, a test.

Laws
 1. Each workflow keeps to its own App: that App's services, its workflows, its version.
 2. A name is known once: executions share one store, which knows workflows and services by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.service import Service
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.serve import Adapter


class Apps(App):
    """What these Apps have, under the first one's name.

    Raises:
        ConfigurationError: two of them have one name, a workflow of one name, schedules, or
            different adapters of one service.
    """

    def __init__(self, apps: Sequence[App]) -> None:
        adapters = {id(a): a for app in apps for a in app.adapters.values()}
        services: dict[str, Service[Any, Any]] = {}
        for app in apps:
            services |= {name: s for name, s in app.services.items() if name not in services}
        self._owners: dict[str, App] = {}
        for app in apps:
            for name in app.workflows:
                if (other := self._owners.setdefault(name, app)) is not app:
                    raise ConfigurationError(
                        f"apps {other.name!r} and {app.name!r} both have a workflow {name!r}: in "
                        "one engine a name is known once; give one of them another name"
                    )
        if len({app.name for app in apps}) < len(apps):
            raise ConfigurationError("two apps have one name: give one of them another name")
        super().__init__(
            apps[0].name,
            workflows=[],
            adapters=_one_each(list(adapters.values())),
            show_values=all(app.show_values for app in apps),
        )
        self.services = MappingProxyType(services)  # type: ignore[misc]  # theirs, not the adapters'
        self.versions = MappingProxyType(  # type: ignore[misc]  # as each App has listed them
            {name: versions for app in apps for name, versions in app.versions.items()}
        )
        self.workflows = MappingProxyType(  # type: ignore[misc]  # the same
            {name: workflow for app in apps for name, workflow in app.workflows.items()}
        )
        self.schedules = MappingProxyType(  # type: ignore[misc]  # the same
            {name: schedule for app in apps for name, schedule in app.schedules.items()}
        )

    def version_of(self, name: str) -> str:
        """What a new execution of a workflow records: its own App's label, if any."""
        owner = self._owners.get(name)
        return super().version_of(name) if owner is None else owner.version_of(name)

    def owner_of(self, workflow: str) -> App:
        """The App whose services and workflows a workflow may call."""
        return self._owners.get(workflow, self)


def _one_each(adapters: list[Adapter[Any, Any]]) -> list[Adapter[Any, Any]]:
    names = [adapter.service.name for adapter in adapters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(
            f"two apps have adapters of service {twice[0]!r}: in one engine a service is served "
            "once; list the same adapter in both, or only one of them"
        )
    return adapters
