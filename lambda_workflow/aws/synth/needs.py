"""What a function needs from its stack, as `needs.toml` and `synth.toml` say it.

Laws
 1. What can be seen to be wrong in a section by itself is refused here, with the file's name.
 2. Nothing is granted wholesale: no action has a `*`, and a resource has one behind a name alone,
    unless the right says why its actions have none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_workflow.aws.config import PREFIX
from lambda_workflow.aws.synth.sections import many, read_by, text
from lambda_workflow.errors import ConfigurationError

RESERVED: Final = (PREFIX, "AWS_", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR")
_VARIABLE: Final = re.compile("[A-Za-z][A-Za-z0-9_]+")  # Lambda's
_ACTION: Final = re.compile("[a-z0-9-]+:[A-Za-z0-9]+")
_PLACEHOLDER: Final = re.compile(r"\$\{[^}]*\}")


def _variables(known: Any, value: Any, where: str) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{where} is {value!r}: make it a section of variables")
    for name, content in value.items():
        if name.startswith(RESERVED):
            raise ConfigurationError(f"{where}: {name} is set by Lambda or by this package: give "
                                     "the variable another name")  # fmt: skip
        if not _VARIABLE.fullmatch(name):
            raise ConfigurationError(f"{where}: {name!r} is no name of a variable: it has two "
                                     "or more letters, digits and _, a letter first")  # fmt: skip
        if not isinstance(content, str):
            raise ConfigurationError(f'{where}: {name} is {content!r}: write "{content}"')
    return {**known, **value}


def actions(known: Any, value: Any, where: str) -> tuple[str, ...]:
    """Actions of IAM, one by one.

    Raises:
        ConfigurationError: one has a `*`, or no service before it.
    """
    if not isinstance(value, list) or not value:
        raise ConfigurationError(f"{where} is {value!r}: it must be a list of actions")
    for action in value:
        if isinstance(action, str) and "*" in action:
            raise ConfigurationError(f"{where}: {action!r}: name each action that is called")
        if not isinstance(action, str) or not _ACTION.fullmatch(action):
            raise ConfigurationError(f"{where}: {action!r} is no action: write service:Action, "
                                     'such as "ses:SendEmail"')  # fmt: skip
    return tuple(value)


def _of_the_table(known: Any, value: Any, where: str) -> tuple[str, ...]:
    for action in (found := actions(known, value, where)):
        if not action.startswith("dynamodb:"):
            raise ConfigurationError(f"{where}: {action!r} is nothing that a table can do: actions "
                                     "outside dynamodb: belong into rights")  # fmt: skip
    return found


def _resources(known: Any, value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ConfigurationError(f"{where} is {value!r}: it must be a list of ARNs")
    for resource in value:
        parts = str(resource).split(":", 5)
        if resource == "*" or (len(parts) == 6 and ("*" in parts[2] or parts[5] == "*")):
            raise ConfigurationError(
                f"{where}: {resource!r} is everything: write the ARN of what is used; a * may "
                "stand behind a name in it, or a parameter may have it. Where AWS knows no "
                'resource for the actions, write anything = "why" in place of resources'
            )
        if not isinstance(resource, str) or not (
            resource.startswith("arn:") or _PLACEHOLDER.fullmatch(resource)
        ):
            raise ConfigurationError(f"{where}: {resource!r} is no ARN: it begins with arn:, or is "
                                     "a parameter that has one")  # fmt: skip
    return tuple(value)


def _conditions(known: Any, value: Any, where: str) -> Mapping[str, Mapping[str, Any]]:
    def is_text(found: Any) -> bool:
        return isinstance(found, str) or (
            isinstance(found, list) and all(isinstance(item, str) for item in found)
        )

    if not isinstance(value, Mapping) or not all(
        isinstance(keys, Mapping) and all(map(is_text, keys.values())) for keys in value.values()
    ):
        raise ConfigurationError(f"{where} is {value!r}: write OPERATOR = {{ KEY = TEXT }}, such "
                                 'as { StringEquals = { "ses:FromAddress" = "…" } }')  # fmt: skip
    told = value.get("Null", {})
    for operator, keys in value.items():
        unsaid = [key for key in keys if told.get(key) != "false"]
        if operator.startswith("ForAllValues:") and unsaid:
            raise ConfigurationError(
                f"{where}: {operator} holds for a request without {unsaid[0]} as well: write "
                f'Null = {{ "{unsaid[0]}" = "false" }} beside it'
            )
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What a function may call; `${…}` in resources and conditions.

    Args:
        anything: in place of resources, why AWS knows none for these actions.
    """

    actions: tuple[str, ...] = field(default=(), metadata=read_by(actions))
    resources: tuple[str, ...] = field(default=(), metadata=read_by(_resources))
    anything: str = ""
    conditions: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict, metadata=read_by(_conditions)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTable:
    """A table of a service's own.

    Args:
        key: its partition key, a string; `sort` likewise, if there is one.
        actions: what the service's function does with it.
    """

    key: str = ""
    sort: str = ""
    actions: tuple[str, ...] = field(default=(), metadata=read_by(_of_the_table))


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A function behind a URL that everybody may call.

    Args:
        table_actions: what it does with the service's table.
        posts_results: whether it sends to the FIFO queues of the workflows.
        large_results: whether what it posts may be over 32 KB, and is stored first.
        concurrency: invocations at the same time, reserved; 0: what the account has.
    """

    handler: str = ""
    memory: int = 512
    timeout: int = 30
    concurrency: int = 0
    posts_results: bool = False
    large_results: bool = False
    table_actions: tuple[str, ...] = field(default=(), metadata=read_by(_of_the_table))
    environment: Mapping[str, str] = field(default_factory=dict, metadata=read_by(_variables))
    rights: tuple[Right, ...] = field(default=(), metadata=read_by(many(Right)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events of an EventBridge bus that come to the service's queue."""

    bus: str = "default"
    pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnParameter:
    """A parameter of the stack that needs name.

    Args:
        default: None: whoever deploys must say it; empty: what needs it is there once it is said.
        pattern: of the value, or of each item of a list.
        list: whether it has several values, with commas between.
    """

    about: str = ""
    pattern: str = ""
    default: str | None = field(default=None, metadata=read_by(text))
    list: bool = False


VARIABLES: Final = read_by(_variables)
RIGHTS: Final = read_by(many(Right))
