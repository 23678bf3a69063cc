"""The cast: who plays which part in one simulation, and what was answered so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.service import Service
from lambda_workflow.replay.workflow import RemoteWorkflow, Workflow
from lambda_workflow.runtime.serve import Adapter
from lambda_workflow.testing.acts import Act
from lambda_workflow.testing.fakes import Answer, Fake, FakeCallback, Pace, Run

Part = Fake[Any, Any] | Adapter[Any, Any] | FakeCallback | Act | Workflow[Any, Any]


@dataclass(slots=True)
class Cast:
    """The parts of one simulation, by what they play.

    Attributes:
        children: workflows that run for real when the one on stage calls them.
    """

    services: dict[str, Fake[Any, Any]] = field(default_factory=dict)
    workflows: dict[str, Fake[Any, Any]] = field(default_factory=dict)
    callbacks: dict[str, FakeCallback] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    children: list[Workflow[Any, Any]] = field(default_factory=list)
    _given: dict[str, dict[str, Answer]] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Cast:
        """Of these parts.

        Raises:
            ConfigurationError: two play one part, or one has no answer.
        """
        cast = cls()
        for part in parts:
            match part:
                case Act():
                    cast.acts.append(part)
                case Workflow():
                    cast.children.append(part)
                case FakeCallback():
                    _add(cast.callbacks, part.name, part, f"callback({part.name!r})")
                case Adapter():
                    played = Fake[Any, Any](part.service, [Run(part, Pace())])
                    name = part.service.name
                    _add(cast.services, name, played, f"service {name!r}")
                case Fake():
                    name = part.target.name
                    kind = cast.services if isinstance(part.target, Service) else cast.workflows
                    _add(kind, name, part, f"fake({name!r})")
                case _:
                    raise ConfigurationError(
                        f"{part!r} plays no part in a simulation: pass fakes, as fake(SERVICE), "
                        "adapters, callbacks, acts, as after(…).signal(…), or child workflows"
                    )
        return cast

    @property
    def known_services(self) -> list[Service[Any, Any]]:
        """The services that are played."""
        played = (fake.target for fake in self.services.values())
        return [target for target in played if isinstance(target, Service)]

    @property
    def known_workflows(self) -> list[Workflow[Any, Any]]:
        """The other workflows that the App has to have."""
        played = (fake.target for fake in self.workflows.values())
        return [*self.children, *(t for t in played if not isinstance(t, RemoteWorkflow | Service))]

    @property
    def unasked(self) -> list[str]:
        """The callbacks that a part is there for, and that were never opened."""
        asked = {name for name, given in self._given.items() if given}
        parts = self.callbacks.values()
        return [f"callback({p.name!r})" for p in parts if f"FakeCallback {p.name}" not in asked]

    def answer(self, part: Fake[Any, Any] | FakeCallback, key: str) -> Answer:
        """What is answered to a key; the same as before, if it comes again."""
        whose = part.name if isinstance(part, FakeCallback) else part.target.name
        given = self._given.setdefault(f"{type(part).__name__} {whose}", {})
        if key not in given:
            given[key] = part.answers[min(len(given), len(part.answers) - 1)]
        return given[key]


def _add(known: dict[str, Any], name: str, part: Fake[Any, Any] | FakeCallback, told: str) -> None:
    if name in known:
        raise ConfigurationError(f"two parts play {told}: chain their answers in one")
    if not part.answers:
        raise ConfigurationError(f"{told} has no answer: add `.returns(…)`")
    known[name] = part
