"""What a mutant is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Mutant:
    """One change that breaks a promise.

    Attributes:
        file: below the root.
        text: to be replaced; it stands in the file exactly once.
        why: what it breaks.
        tests: node ids, of which at least one must fail.
    """

    name: str
    file: str
    text: str
    replacement: str
    why: str
    tests: tuple[str, ...]


RUNTIME: Final = "lambda_workflow/runtime/"
MODEL: Final = "lambda_workflow/model/"
REPLAY: Final = "lambda_workflow/replay/"
LOCAL: Final = "lambda_workflow/local/"
AWS: Final = "lambda_workflow/aws/"
