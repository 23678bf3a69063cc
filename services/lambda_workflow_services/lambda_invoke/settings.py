"""What a deployment decides: which functions may be invoked, and how long one is waited for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Final

from lambda_workflow import ServiceError
from lambda_workflow.errors import ConfigurationError
from lambda_workflow_services.lambda_invoke import Invocation

WAIT_SECONDS: Final = 870  # of the adapter's own 900, the rest is for starting and for answering
WAIT_SECONDS_MAX: Final = 900  # no function runs longer
_FUNCTION: Final = ":function:"


@dataclass(frozen=True, slots=True)
class Settings:
    """See the module."""

    functions: tuple[str, ...]
    wait_seconds: float

    def check(self, invocation: Invocation) -> str:
        """The function as it is invoked, its qualifier included.

        As IAM has it, an entry without a qualifier allows no alias and no version, `NAME:*` does.

        Raises:
            ServiceError: it is not allowed, or has two qualifiers.
        """
        name, qualifier = _parted(invocation.function)
        if qualifier and invocation.qualifier:
            raise ServiceError(
                f"function {invocation.function!r} has a qualifier, and so has the invocation: "
                f"{invocation.qualifier!r}; leave one out",
                type="BadRequest",
                retryable=False,
            )
        qualifier = qualifier or invocation.qualifier
        wanted = f"{name}:{qualifier}" if qualifier else name
        if not any(_allows(entry, wanted) for entry in self.functions):
            raise ServiceError(
                f"function {wanted!r} may not be invoked from here: LAMBDA_INVOKE_FUNCTIONS allows "
                f"{', '.join(self.functions)}",
                type="NotAllowed",
                retryable=False,
            )
        return wanted


@cache
def settings() -> Settings:
    """Those of this process, read once.

    Raises:
        ConfigurationError: variables are missing or wrong; names all of them.
    """
    wrong = []
    functions = tuple(
        name for part in os.environ.get("LAMBDA_INVOKE_FUNCTIONS", "").split(",")
        if (name := part.strip())
    )  # fmt: skip
    if not functions:
        wrong.append(
            "LAMBDA_INVOKE_FUNCTIONS is not set: name the functions that may be invoked, by ARN or "
            "name, with commas between"
        )
    wait = os.environ.get("LAMBDA_INVOKE_WAIT_SECONDS", "").strip() or str(WAIT_SECONDS)
    if not _is_seconds(wait):
        wrong.append(
            f"LAMBDA_INVOKE_WAIT_SECONDS is {wait!r}: it must be a number above 0 and at most "
            f"{WAIT_SECONDS_MAX}"
        )
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return Settings(functions, float(wait))


def _is_seconds(text: str) -> bool:
    try:
        return 0 < float(text) <= WAIT_SECONDS_MAX
    except ValueError:
        return False


def _allows(entry: str, wanted: str) -> bool:
    """Names as IAM compares them. A bare name is of this account and region: IAM has the last word.

    What has an account needs an entry that has it, too.
    """
    owner, _, name = wanted.rpartition(_FUNCTION)
    allowed_owner, _, allowed = entry.rpartition(_FUNCTION)
    known = not owner or allowed_owner == owner or allowed_owner.endswith(f":{owner}")
    return known and fnmatchcase(name, allowed)


def _parted(function: str) -> tuple[str, str]:
    """A function's name or ARN, and its qualifier."""
    before, mark, last = function.rpartition(_FUNCTION)
    name, _, qualifier = last.partition(":")
    return f"{before}{mark}{name}", qualifier
