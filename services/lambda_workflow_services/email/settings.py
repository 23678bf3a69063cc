"""The settings of the service `email`: environment variables that begin with EMAIL_."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lambda_workflow import ConfigurationError
from lambda_workflow_services.email import ADDRESS

OnDoubt = Literal["send", "fail"]
_ON_DOUBT: Final[dict[str, OnDoubt]] = {"": "send", "send": "send", "fail": "fail"}


@dataclass(frozen=True, slots=True)
class Settings:
    """See the README."""

    sender: str
    table: str
    sender_name: str = ""
    configuration_set: str = ""
    on_doubt: OnDoubt = "send"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    Raises:
        ConfigurationError: variables are missing or wrong; names all of them at once.
    """
    env = os.environ if environ is None else environ
    sender, table, name, configuration_set, on_doubt = (
        env.get(f"EMAIL_{variable}", "").strip()
        for variable in ("SENDER", "TABLE", "SENDER_NAME", "CONFIGURATION_SET", "ON_DOUBT")
    )
    wrong: list[str] = []
    found = ADDRESS.fullmatch(sender)
    if found is None or found["name"]:
        wrong.append(
            f"EMAIL_SENDER is {sender!r}: it must be the address that mail comes from, such as "
            "shop@example.com; its name goes into EMAIL_SENDER_NAME"
        )
    if not table:
        wrong.append("EMAIL_TABLE is not set: the DynamoDB table that knows what was sent")
    if not name.isprintable():
        wrong.append(f"EMAIL_SENDER_NAME is {name!r}: it must be printable text on one line")
    if on_doubt not in _ON_DOUBT:
        wrong.append(f"EMAIL_ON_DOUBT is {on_doubt!r}: it must be send or fail")
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return Settings(sender, table, name, configuration_set, _ON_DOUBT[on_doubt])
