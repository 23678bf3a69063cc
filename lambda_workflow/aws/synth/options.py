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
from typing import Any, Final

from lambda_workflow.aws.config import RETENTION_DAYS
from lambda_workflow.aws.synth.needs import (
    RIGHTS,
    VARIABLES,
    Events,
    OwnParameter,
    OwnTable,
    Page,
    Right,
)
from lambda_workflow.aws.synth.sections import HIDDEN, named, one, read_by, section, whole
from lambda_workflow.errors import ConfigurationError

TIMEOUT_SECONDS_MAX: Final = 900  # Lambda's limits
MEMORY_MB_MIN, MEMORY_MB_MAX = 128, 10_240
BATCH_FIFO_MAX: Final = 10
BATCH_MAX: Final = 10  # more needs a batching window, which only delays
CONCURRENCY_MIN, CONCURRENCY_MAX = 2, 1000
LOG_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192,
                   2557, 2922, 3288, 3653)  # fmt: skip  # those that CloudWatch Logs has


def _seconds(known: int, value: Any, where: str) -> int:
    if type(value) is int and value == 0:  # which stands for the default, and nobody would ask for
        raise ConfigurationError(
            f"{where} is 0: write 1 to {TIMEOUT_SECONDS_MAX}, or leave it out for the default"
        )
    return whole(known, value, where)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionOptions:
    """A Lambda function and its event source mapping.

    Args:
        handler: `module.attribute`; empty: see `handlers.py`.
        timeout: seconds; 0: 30 for workflows, what the contract says or 60 for services.
        batch: messages of one invocation.
        concurrency: invocations at the same time, of one queue; few, since all functions of an
            account share its concurrency, and a new account may have 10.
        environment: variables of the author's own.
        rights: what it may call beside what the runtime calls.
    """

    handler: str = ""
    memory: int = 512
    timeout: int = field(default=0, metadata=read_by(_seconds))
    batch: int = 10
    concurrency: int = 4
    environment: Mapping[str, str] = field(default_factory=dict, metadata=VARIABLES)
    rights: tuple[Right, ...] = field(default=(), metadata=RIGHTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesOptions(FunctionOptions):
    """What holds for the functions of all services.

    Args:
        later: adapters raise `Later`, which puts a task back onto the service's own queue.
    """

    concurrency: int = 2
    later: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions(ServicesOptions):
    """A service's function, and what the service has beside it."""

    table: OwnTable | None = field(default=None, metadata=read_by(one(OwnTable)))
    page: Page | None = field(default=None, metadata=read_by(one(Page)))
    events: Events | None = field(default=None, metadata=read_by(one(Events)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """See docs/how-to/synth.md, which has a line for each.

    `service` and `parameter` are as the file has them: `gather.py` lays them over what adapters
    bring along.
    """

    name: str = ""
    code: str = "."
    python: str = "3.13"
    elsewhere: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    scheduler: bool = True
    bucket: bool = False
    shared_bucket: bool = False
    responses: bool = False
    deduplicate: bool = False
    starters: bool = False
    kms: bool = False
    recovery: bool = True
    deletion_protection: bool = False
    retention_days: int = RETENTION_DAYS
    turn_warning_seconds: str = ""
    turn_seconds_max: str = ""
    log_days: int = 30
    alarms: bool = True
    dashboard: bool = True
    keep_dead_letters: bool = False
    workflow: FunctionOptions = field(
        default_factory=FunctionOptions, metadata=read_by(one(FunctionOptions))
    )
    services: ServicesOptions = field(
        default_factory=ServicesOptions, metadata=read_by(one(ServicesOptions))
    )
    service: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, metadata=read_by(named))
    parameter: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict, metadata=read_by(named)
    )
    where: str = field(default="the options", metadata=HIDDEN)

    def for_services(self) -> ServiceOptions:
        """What each service begins with."""
        common = {f.name: getattr(self.services, f.name) for f in dataclasses.fields(self.services)}
        return ServiceOptions(**common)


def read_options(path: Path) -> Options:
    """The options of a TOML file.

    Raises:
        ConfigurationError: it cannot be read, or has what is no option; names it.
    """
    return parse_options(read_toml(path), str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error


def parse_options(found: Mapping[str, Any], where: str) -> Options:
    """The options of what a TOML file holds.

    Raises:
        ConfigurationError: it has what is no option, or of another type; names it.
    """
    options = section(Options(), found, where)
    check_sections(options.service, options.parameter, where)
    return dataclasses.replace(options, where=where)


def check_sections(service: Mapping[str, Any], parameter: Mapping[str, Any], where: str) -> None:
    """Whether the sections with names can be read.

    Raises:
        ConfigurationError: they cannot.
    """
    for name, given in service.items():
        section(ServiceOptions(), given, f"{where}: service.{name}")
    for name, given in parameter.items():
        section(OwnParameter(), given, f"{where}: parameter.{name}")
