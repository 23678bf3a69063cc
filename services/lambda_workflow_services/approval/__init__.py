"""The contract of the service `approval`: a question to a human, and the link to its page.

The call returns as soon as there is a link. The answer, a Decision, is that of the callback whose
token the question carries: `await ctx.callback(Decision, …)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from lambda_workflow import RetryPolicy, Service

__all__ = ["APPROVAL", "Choice", "Decision", "Link", "Question"]

Language = Literal["de", "en", "es", "fr"]

TITLE_CHARACTERS_MAX: Final = 200
TEXT_CHARACTERS_MAX: Final = 10_000
FACTS_MAX: Final = 50
FACT_NAME_CHARACTERS_MAX: Final = 100
FACT_CHARACTERS_MAX: Final = 1_000
CHOICES_MAX: Final = 6  # buttons that fit a phone's screen
LABEL_CHARACTERS_MAX: Final = 60
COMMENT_CHARACTERS_MAX: Final = 2_000
NAME_CHARACTERS_MAX: Final = 100

_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _seen(text: str) -> str:
    """What a reader sees of a text: signs without a width, such as U+200B, are nothing to them."""
    return " ".join("".join(s for s in text if s.isprintable() or s.isspace()).split())


@dataclass(frozen=True, slots=True)
class Choice:
    """A button.

    Args:
        value: what `Decision.choice` will be: 1 to 64 letters, digits, '-' and '_'.
        label: what the button says.
        approves: what `Decision.approved` will be.
    """

    value: str
    label: str
    approves: bool = False

    def __post_init__(self) -> None:
        if not _VALUE.fullmatch(self.value):
            raise ValueError(
                f"choice {self.value!r}: its value must be 1 to 64 letters, digits, '-' and '_'"
            )
        if not _seen(self.label) or len(self.label) > LABEL_CHARACTERS_MAX:
            raise ValueError(
                f"choice {self.value!r}: its label must have 1 to {LABEL_CHARACTERS_MAX} characters"
            )


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. All texts are plain text: nothing in them is read as markup.

    Args:
        title: what is to be decided, in a line.
        token: of the callback that the answer goes to: `callback.token`.
        text: what one has to know; its line breaks are kept.
        facts: shown as a table, in their order: {"Amount": "120 EUR"}.
        choices: 1 to 6 buttons; Approve and Reject if there are none.
        expires: until when the link works, in any zone; seven days from now if not given. The
            callback's own timeout is the right moment.
        language: of the page's own words, and of the buttons Approve and Reject.
    """

    title: str
    token: str
    text: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    expires: datetime | None = None
    language: Language = "en"

    def __post_init__(self) -> None:
        if wrong := list(self._wrong()):
            raise ValueError(f"this question cannot be asked: {'; '.join(wrong)}")

    def _wrong(self) -> Iterator[str]:
        if not _seen(self.title) or len(self.title) > TITLE_CHARACTERS_MAX:
            yield f"its title must have 1 to {TITLE_CHARACTERS_MAX} characters"
        if not self.token:
            yield "it has no token: pass that of a callback, `callback.token`"
        if len(self.text) > TEXT_CHARACTERS_MAX:
            yield f"its text is longer than {TEXT_CHARACTERS_MAX} characters"
        if len(self.facts) > FACTS_MAX:
            yield f"it has more than {FACTS_MAX} facts"
        for name, fact in self.facts.items():
            if not 0 < len(name) <= FACT_NAME_CHARACTERS_MAX or len(fact) > FACT_CHARACTERS_MAX:
                yield (
                    f"fact {name[:40]!r}: its name must have 1 to {FACT_NAME_CHARACTERS_MAX} "
                    f"characters, its value at most {FACT_CHARACTERS_MAX}"
                )
        if len(self.choices) > CHOICES_MAX:
            yield f"it has more than {CHOICES_MAX} choices"
        if len({choice.value for choice in self.choices}) < len(self.choices):
            yield "two of its choices have the same value"
        if len({_seen(choice.label) for choice in self.choices}) < len(self.choices):
            yield "two of its choices look the same: give them labels of their own"
        if self.expires is not None and self.expires.utcoffset() is None:
            yield "`expires` has no time zone: give it one, as `ctx.now() + timedelta(days=3)` has"


@dataclass(frozen=True, slots=True)
class Link:
    """Where the question is answered. Who has the URL may answer, once."""

    url: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer.

    Attributes:
        approved: whether the choice is one that approves.
        choice: the value of the choice: "approve" or "reject", or one of the question's own.
        comment: as it was typed; may have several lines.
        by: the name that was typed; nobody has checked it.
        at: when the button was pressed; None if the callback was answered in another way.
    """

    approved: bool
    choice: str = ""
    comment: str = ""
    by: str = ""
    at: datetime | None = None


APPROVAL: Final[Service[Question, Link]] = Service(
    "approval",
    Question,
    Link,
    timeout=timedelta(hours=1),
    retry=RetryPolicy(attempts=5),
)
