"""The settings of the service's two functions: environment variables, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lambda_workflow.errors import ConfigurationError

PREFIX: Final = "APPROVAL_"
VARIABLES: Final = {
    "TABLE": "the name of the DynamoDB table that holds the questions",
    "URL": "the URL of the page's function",
    "PUBLIC_URL": "where people open the page, if that is not the function's own URL",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Where questions are kept, and where they are answered; `url` is empty if not said."""

    table: str
    url: str = ""

    @property
    def origin(self) -> str:
        """Scheme and host of the URL, as browsers name them; empty if it is not said."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}".lower() if self.url else ""

    @property
    def path(self) -> str:
        """What the paths of all links begin with."""
        return f"{urlsplit(self.url).path.rstrip('/')}/q/"

    def link(self, code: str) -> str:
        """The whole URL of a link."""
        return f"{self.url.rstrip('/')}/q/{code}"


def read_settings(environ: Mapping[str, str] | None = None, *, needs_url: bool = False) -> Settings:
    """The settings of this process.

    Raises:
        ConfigurationError: variables are missing or wrong; names all of them at once.
    """
    env = os.environ if environ is None else environ
    given = {name: env.get(PREFIX + name, "").strip() for name in VARIABLES}
    wrong = []
    if not given["TABLE"]:
        wrong.append(f"{PREFIX}TABLE is not set: {VARIABLES['TABLE']}")
    if needs_url and not (given["PUBLIC_URL"] or given["URL"]):
        wrong.append(f"{PREFIX}URL is not set: {VARIABLES['URL']}")
    wrong += [
        f"{PREFIX}{name} is {given[name]!r}: it must be an https:// URL without query "
        "(http:// on this machine alone)"
        for name in ("URL", "PUBLIC_URL")
        if given[name] and not _is_url(given[name])
    ]
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    # The page learns its own URL with each request: only another address must be said.
    return Settings(given["TABLE"], given["PUBLIC_URL"] or (given["URL"] if needs_url else ""))


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises if it is no number
    except ValueError:
        return False
    usual = {"https"} | ({"http"} if parts.hostname in ("127.0.0.1", "localhost") else set())
    return parts.scheme in usual and bool(parts.hostname) and not (parts.query or parts.fragment)
