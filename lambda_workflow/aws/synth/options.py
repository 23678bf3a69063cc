"""What can be chosen about a deployment: `synth.toml`, or the defaults.

Laws
 1. Everything has a default; an App that serves its services itself needs no file.
 2. A name that means nothing is refused, so that a misspelt one is not ignored.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from lambda_workflow.aws.config import RETENTION_DAYS
from lambda_workflow.errors import ConfigurationError

T = TypeVar("T")

TIMEOUT_SECONDS_MAX: Final = 900  # Lambda's limits
MEMORY_MB_MIN, MEMORY_MB_MAX = 128, 10_240
BATCH_FIFO_MAX: Final = 10
BATCH_MAX: Final = 10  # more needs a batching window, which only delays
CONCURRENCY_MIN, CONCURRENCY_MAX = 2, 1000
KINDS: Final = {str: "a text", int: "a whole number", bool: "true or false",
                tuple: "a list of texts"}  # fmt: skip
LOG_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192,
                   2557, 2922, 3288, 3653)  # fmt: skip  # those that CloudWatch Logs has


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionOptions:
    """A Lambda function and its event source mapping.

    Args:
        handler: `module.attribute`; empty: see `handlers.py`.
        timeout: seconds; 0: 30 for workflows, what the contract says or 60 for services.
        batch: messages of one invocation.
        concurrency: invocations at the same time, of one queue.
    """

    handler: str = ""
    memory: int = 512
    timeout: int = 0
    batch: int = 10
    concurrency: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """See docs/how-to/synth.md, which has a line for each."""

    name: str = ""
    code: str = "."
    python: str = "3.13"
    workflow: FunctionOptions = field(default_factory=FunctionOptions)
    services: FunctionOptions = field(default_factory=FunctionOptions)
    service: Mapping[str, FunctionOptions] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    scheduler: bool = True
    bucket: bool = False
    responses: bool = False
    deduplicate: bool = False
    kms: bool = False
    recovery: bool = True
    deletion_protection: bool = False
    retention_days: int = RETENTION_DAYS
    log_days: int = 30

    def of_service(self, name: str) -> FunctionOptions:
        """A service's own options, else those of all services."""
        return self.service.get(name, self.services)


def read_options(path: Path) -> Options:
    """The options of a TOML file.

    Raises:
        ConfigurationError: it cannot be read, or has what is no option; names it.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    return parse_options(found, str(path))


def parse_options(found: Mapping[str, Any], where: str) -> Options:
    """The options of what a TOML file holds.

    Raises:
        ConfigurationError: it has what is no option, or of another type; names it.
    """
    given = dict(found)
    services = _section(FunctionOptions(), given.pop("services", {}), f"{where}: services")
    own = given.pop("service", {})
    if not isinstance(own, Mapping):
        raise ConfigurationError(f"{where}: write [service.NAME] above what one service differs in")
    parts: dict[str, Any] = {
        "workflow": _section(FunctionOptions(), given.pop("workflow", {}), f"{where}: workflow"),
        "services": services,
        "service": {n: _section(services, v, f"{where}: service.{n}") for n, v in own.items()},
    }
    return dataclasses.replace(_section(Options(), given, where), **parts)


def _section(defaults: T, given: Any, where: str) -> T:
    """`defaults` with what is given in their place."""
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{where} is {given!r}: make it a section")
    known = {f.name: getattr(defaults, f.name) for f in dataclasses.fields(defaults)}  # type: ignore[arg-type]  # a dataclass
    chosen: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known or isinstance(known[name], FunctionOptions | Mapping):
            options = ", ".join(n for n, v in known.items() if not isinstance(v, Mapping))
            raise ConfigurationError(f"{where}: {name} is no option; those there are: {options}")
        if isinstance(known[name], tuple) and isinstance(value, list):
            value = tuple(value)
        if type(value) is not type(known[name]) or (
            isinstance(value, tuple) and not all(isinstance(item, str) for item in value)
        ):
            kind = KINDS[type(known[name])]
            raise ConfigurationError(f"{where}: {name} is {value!r}: it must be {kind}")
        chosen[name] = value
    return dataclasses.replace(defaults, **chosen)  # type: ignore[type-var]  # a dataclass
