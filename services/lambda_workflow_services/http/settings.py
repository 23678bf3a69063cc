"""The settings of the service `http`: environment variables that begin with HTTP_."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lambda_workflow import ConfigurationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST: Final = re.compile(r"(?:\*\.)?[a-z0-9._-]+(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?")
_PREFIX: Final = re.compile(r"(?:[A-Za-z0-9_.-]+/)+")


@dataclass(frozen=True, slots=True)
class Settings:
    """See the README; the defaults are those of the variables."""

    allow_private: tuple[Network, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    secret_prefix: str = ""
    secret_seconds: int = 300
    timeout_seconds_max: int = 60


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    Raises:
        ConfigurationError: variables are wrong; names all of them at once.
    """
    env = os.environ if environ is None else environ
    wrong: list[str] = []
    networks = [_network(text, wrong) for text in _listed(env, "HTTP_ALLOW_PRIVATE")]
    hosts = tuple(host.lower() for host in _listed(env, "HTTP_ALLOWED_HOSTS"))
    wrong += [
        f"HTTP_ALLOWED_HOSTS has {host!r}: hosts are named as api.example.com, *.example.com or "
        "api.example.com:8443"
        for host in hosts
        if not _HOST.fullmatch(host)
    ]
    prefix = env.get("HTTP_SECRET_PREFIX", "").strip()
    if prefix and not _PREFIX.fullmatch(prefix):
        wrong.append(
            f"HTTP_SECRET_PREFIX is {prefix!r}: it must be letters, digits and '_.-', in parts "
            "that each end in '/', such as shop/http/"
        )
    settings = Settings(
        tuple(network for network in networks if network is not None),
        hosts,
        prefix,
        _number(env, "HTTP_SECRET_SECONDS", 300, (0, 3600), wrong=wrong),
        _number(env, "HTTP_TIMEOUT_MAX_SECONDS", 60, (1, 600), wrong=wrong),
    )
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return settings


def _listed(env: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in env.get(name, "").split(",") if part.strip()]


def _network(text: str, wrong: list[str]) -> Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        wrong.append(f"HTTP_ALLOW_PRIVATE has {text!r}, no network such as 10.0.0.0/16: {error}")
        return None


def _number(
    env: Mapping[str, str], name: str, default: int, limits: tuple[int, int], *, wrong: list[str]
) -> int:
    text = env.get(name, "").strip() or str(default)
    low, high = limits
    if text.isascii() and text.isdigit() and low <= int(text) <= high:
        return int(text)
    wrong.append(f"{name} is {text!r}: it must be a whole number of seconds, {low} to {high}")
    return default
