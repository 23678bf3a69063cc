"""What an App's adapters bring along in `needs.toml`, and what `synth.toml` adds to it.

Laws
 1. A service's options: those of all services, over them its adapter's needs, over them its own in
    the options. Texts and numbers override; variables and rights are added.
 2. A parameter is declared once and named somewhere: one that nobody names is a misspelt one.
 3. Needs of services that the App does not serve bring nothing, no parameters either.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lambda_workflow.aws.synth.names import EXPIRY, KMS
from lambda_workflow.aws.synth.needs import OwnParameter
from lambda_workflow.aws.synth.options import (
    Options,
    ServiceOptions,
    check_sections,
    read_toml,
)
from lambda_workflow.aws.synth.placeholders import PLACE, parameter_id, placeholders
from lambda_workflow.aws.synth.sections import named as by_name
from lambda_workflow.aws.synth.sections import section
from lambda_workflow.aws.synth.values import Parameter
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.serve import Adapter

NEEDS_FILE: Final = "needs.toml"
_NAME: Final = re.compile("[A-Z][A-Za-z0-9]*")  # CloudFormation's, written as it writes its own
_TAKEN: Final = ("name", "alarm-topic-arn", "package", KMS.id)


@dataclass(frozen=True, slots=True)
class Needs:
    """The options of each service that is served, and the parameters that functions name."""

    services: Mapping[str, ServiceOptions]
    parameters: Mapping[str, OwnParameter]

    def declared(self) -> Iterator[Parameter]:
        """The parameters of the stack."""
        for name, own in sorted(self.parameters.items()):
            about = f"{own.about} With commas between." if own.list else own.about
            yield Parameter(parameter_id(name), about, own.default, _pattern(own))


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    service: Mapping[str, Any]
    parameter: Mapping[str, Any]


def gather(app: App, options: Options) -> Needs:
    """The needs of an App's adapters, with what the options say.

    Raises:
        ConfigurationError: they cannot be read, or contradict each other.
    """
    files: dict[Path, _File] = {}
    services: dict[str, ServiceOptions] = {}
    for name, adapter in sorted(app.adapters.items()):
        made = options.for_services()
        path = _beside(adapter)
        if path and path.is_file():
            if (file := files.get(path)) is None:
                file = files[path] = _read(path)
            made = section(made, file.service.get(name, {}), f"{file.path}: service.{name}")
        if name in options.service:
            where = f"{options.where}: service.{name}"
            made = section(made, options.service[name], where)
        _check(name, made)
        services[name] = made
    for path, file in files.items():
        served = _served_beside(path) | set(services)
        for name in file.service:
            if name not in served:
                raise ConfigurationError(
                    f"{file.path} says what {name} needs, but the adapters beside it serve "
                    f"{', '.join(sorted(served))}: name the service as its contract does"
                )
    named = {n for made in services.values() for n in placeholders(_texts(made))}
    named |= set(placeholders(_texts(options.workflow)))
    return Needs(services, _parameters(options, list(files.values()), named))


def _beside(adapter: Adapter[Any, Any]) -> Path | None:
    module = sys.modules.get(getattr(adapter.function, "__module__", ""))
    file = getattr(module, "__file__", None)
    return Path(file).parent / NEEDS_FILE if file else None


def _served_beside(path: Path) -> set[str]:
    """The services of all adapters in a folder, be they the App's or not."""
    beside = [
        module
        for module in list(sys.modules.values())
        if (file := getattr(module, "__file__", None)) and Path(file).parent == path.parent
    ]
    found = (value for module in beside for value in vars(module).values())
    return {value.service.name for value in found if isinstance(value, Adapter)}


def _read(path: Path) -> _File:
    shown = f"{path.parent.name}/{path.name}"
    found = read_toml(path)
    if unknown := sorted(set(found) - {"service", "parameter"}):
        raise ConfigurationError(f"{shown}: {unknown[0]} is not for a service to say; it has "
                                 "[parameter.NAME] and [service.NAME]")  # fmt: skip
    file = _File(
        shown,
        by_name({}, found.get("service", {}), f"{shown}: service"),
        by_name({}, found.get("parameter", {}), f"{shown}: parameter"),
    )
    check_sections(file.service, file.parameter, shown)
    used = set(placeholders(file.service))
    for name in file.parameter:
        if name not in used:
            raise ConfigurationError(f"{shown}: no service names ${{{name}}}: take [parameter."
                                     f"{name}] out, or name it")  # fmt: skip
    for name in used - set(file.parameter) - set(PLACE):
        if "." not in name:
            raise ConfigurationError(f"{shown}: ${{{name}}} is named, but not declared: write "
                                     f"[parameter.{name}]")  # fmt: skip
    return file


def _parameters(options: Options, files: list[_File], named: set[str]) -> dict[str, OwnParameter]:
    found: dict[str, tuple[OwnParameter, str]] = {}
    for file in files:
        for name, given in file.parameter.items():
            own = section(OwnParameter(), given, f"{file.path}: parameter.{name}")
            other = found.setdefault(name, (own, file.path))
            if name in named and name not in options.parameter and other[0] != own:
                raise ConfigurationError(
                    f"{other[1]} and {file.path} mean different things by the parameter {name}: "
                    f"rename it in one of them, or settle it by [parameter.{name}] in the options"
                )
    made = {name: own for name, (own, _) in found.items() if name in named}
    for name, given in options.parameter.items():
        where = f"{options.where}: parameter.{name}"
        if name not in named:
            raise ConfigurationError(f"{where}: nothing names ${{{name}}}: take it out, or name it")
        made[name] = section(made.get(name, OwnParameter()), given, where)
    for name, own in made.items():
        _check_parameter(name, own)
    return made


def _check_parameter(name: str, own: OwnParameter) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"parameter {name!r}: write its name like EmailSender")
    if parameter_id(name) in _TAKEN:
        raise ConfigurationError(f"parameter {name!r}: each stack has one of that name: "
                                 "give yours another")  # fmt: skip
    if not own.about:
        raise ConfigurationError(f"parameter {name!r}: say by about = \"…\" what it is, for "
                                 "whoever deploys")  # fmt: skip
    try:
        matches = own.default is None or re.search(_pattern(own), own.default)
        re.compile(own.pattern)
    except re.error as error:
        raise ConfigurationError(f"parameter {name!r}: its pattern is none: {error}") from error
    if not matches:
        raise ConfigurationError(f"parameter {name!r}: its default {own.default!r} is not like "
                                 f"{own.pattern}")  # fmt: skip


def _pattern(own: OwnParameter) -> str:
    """The pattern of the whole value, which is empty, one, or several with commas between."""
    takes_empty = own.default == "" and not (own.pattern and re.fullmatch(own.pattern, ""))
    if not own.pattern or not (own.list or takes_empty):
        return own.pattern
    item = f"({own.pattern.removeprefix('^').removesuffix('$')})"
    several = f"{item}(,{item})*" if own.list else item
    return f"^({several})?$" if own.default == "" else f"^{several}$"


def _texts(made: Any) -> Any:
    """The texts of dataclasses within dataclasses, as sections and lists."""
    return dataclasses.asdict(made)


def _check(name: str, made: ServiceOptions) -> None:
    def refuse(message: str) -> None:
        raise ConfigurationError(f"service {name!r}: {message}")

    if made.table:
        if not made.table.key:
            refuse(f'its table has no key: write key = "…" into [service.{name}.table]')
        if EXPIRY in (made.table.key, made.table.sort) or made.table.key == made.table.sort:
            refuse(f"its table's keys are {made.table.key!r} and {made.table.sort!r}: they must "
                   f"differ, and {EXPIRY!r} is when an item expires")  # fmt: skip
        if not (made.table.actions or (made.page and made.page.table_actions)):
            refuse(f"nobody uses its table: write actions into [service.{name}.table]")
    if made.page and made.page.table_actions and not made.table:
        refuse(f"its page uses a table that it does not have: write [service.{name}.table]")
    if made.page and made.page.large_results and not made.page.posts_results:
        refuse(f"its page stores large results, but posts none: write posts_results = true into "
               f"[service.{name}.page]")  # fmt: skip
    if made.page and not made.page.handler:
        refuse(f'its page has no handler: write handler = "…" into [service.{name}.page]')
    if made.events and not made.events.pattern:
        refuse(f"its events have no pattern: write one into [service.{name}.events]")
