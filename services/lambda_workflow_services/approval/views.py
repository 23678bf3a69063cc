"""The pages, as HTML without a script: every text in them is escaped.

What is read must be what was sent: signs that turn the order of others around are left out.

An Enter in the name's field must decide nothing. Browsers press the first submit button of a form
then; here that is one which is disabled, so they do nothing (HTML, "implicit submission").
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Final

from lambda_workflow_services.approval import (
    COMMENT_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    Choice,
    Decision,
)
from lambda_workflow_services.approval.record import Record, Shown
from lambda_workflow_services.approval.words import REFUSALS, WORDS, Words

_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_STYLE: Final = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not `no-referrer`: with it browsers send forms with "Origin: null". Nothing leads elsewhere.
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


@dataclass(frozen=True, slots=True)
class View:
    """An answer: a status, and a page unless it leads elsewhere."""

    status: int
    html: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Typed:
    """What was in a form, what is wrong with it, and the field in which it is."""

    comment: str = ""
    by: str = ""
    wrong: str = ""
    field: str = ""

    def marks(self, field: str) -> str:
        """The attributes by which one lands in the field, and hears what is wrong."""
        marks = ' aria-describedby="wrong" aria-invalid="true" autofocus'
        return marks if self.field == field else ""


def question(record: Record, typed: Typed | None = None) -> View:
    """The question with its form; what was typed already, and why it comes back."""
    words, shown, typed = WORDS[record.shown.language], record.shown, typed or Typed()
    buttons = "".join(map(_button, shown.choices))
    form = f"""<form method="post">
<button disabled hidden></button>
<input type="hidden" name="form" value="{_html(record.nonce)}">
<label for="comment">{_html(words.comment)} <span>({_html(words.optional)})</span></label>
<textarea id="comment" name="comment" maxlength="{COMMENT_CHARACTERS_MAX}"
 dir="auto"{typed.marks("comment")}>
{_html(typed.comment)}</textarea>
<label for="by">{_html(words.name)} <span>({_html(words.unchecked)})</span></label>
<input type="text" id="by" name="by" maxlength="{NAME_CHARACTERS_MAX}" autocomplete="name"
 dir="auto" value="{_html(typed.by)}"{typed.marks("by")}>
<div class="choices">{buttons}</div>
</form>
<p class="faint"><span>{_html(words.until)} {_time(record.end)}.</span>
<span>{_html(words.once)}</span></p>"""
    wrong = f'<p class="note" id="wrong" role="alert">{_html(typed.wrong)}</p>'
    body = f"{_heading(shown.title)}{wrong if typed.wrong else ''}{_asked(shown)}{form}"
    return View(422 if typed.wrong else 200, _page(shown.language, shown.title, body))


def _button(choice: Choice) -> str:
    kind = ' class="yes"' if choice.approves else ""
    value, label = _html(choice.value), _html(choice.label)
    return f'<button name="choice" value="{value}"{kind}>{label}</button>'


def decided(record: Record, decision: Decision, *, thanks: bool, refused: bool = False) -> View:
    """What was decided: to whoever has just done so, comes back, or would decide otherwise."""
    words, shown = WORDS[record.shown.language], record.shown
    title = words.thanks if thanks else words.decided
    said = words.thanks_text if thanks else words.decided_text
    note = f'<p class="note" role="alert">{_html(words.unrecorded_text)}</p>' if refused else ""
    body = f"""{_heading(title)}{note}<p role="status">{_html(said)}</p>
<p><strong dir="auto">{_html(shown.title)}</strong></p>{_outcome(words, shown, decision)}"""
    return View(409 if refused else 200, _page(shown.language, title, body))


def led_back() -> View:
    """After a form: to the page of the decision, which can be reloaded without sending again."""
    return View(303, headers={"Location": "?done"})


def expired(record: Record) -> View:
    """The end of a link, with nothing of the question."""
    words = WORDS[record.shown.language]
    said = words.expired_text if record.decision is None else words.in_time_text
    return _told(410, words.expired, said, record.shown.language)


def unsent(record: Record) -> View:
    """The decision is kept, and its way to the workflow is not open now."""
    words = WORDS[record.shown.language]
    return _told(503, words.unsent, words.unsent_text, record.shown.language)


def foreign(record: Record) -> View:
    """A form that did not come from the link's own page."""
    words = WORDS[record.shown.language]
    return _told(403, words.foreign, words.foreign_text, record.shown.language)


def refusal(status: int) -> View:
    """A page about the request alone: whether there is a question, it does not say."""
    title, text = REFUSALS[status]
    view = _told(status, title, text, "en")
    if status == 405:
        view.headers["Allow"] = "GET, HEAD, POST"
    return view


def _told(status: int, title: str, text: str, language: str) -> View:
    body = f'{_heading(title)}<p role="status">{_html(text)}</p>'
    return View(status, _page(language, title, body))


def _page(language: str, title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_html(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _heading(title: str) -> str:
    return f'<h1 dir="auto">{_html(title)}</h1>\n'


def _asked(shown: Shown) -> str:
    text = f'<p class="text" dir="auto">{_html(shown.text)}</p>\n' if shown.text else ""
    return text + _table([(name, _html(fact)) for name, fact in shown.facts.items()])


def _outcome(words: Words, shown: Shown, decision: Decision) -> str:
    labels = {choice.value: choice.label for choice in shown.choices}
    rows = [(words.decision, _html(labels.get(decision.choice, decision.choice)))]
    if decision.by:
        rows.append((words.by, _html(decision.by)))
    if decision.at is not None:
        rows.append((words.at, _time(decision.at)))
    if decision.comment:
        rows.append((words.comment, _html(decision.comment)))
    return _table(rows)


def _table(rows: list[tuple[str, str]]) -> str:
    """Names, and values that are HTML already."""
    lines = "".join(
        f'<tr><th scope="row" dir="auto">{_html(name)}</th><td dir="auto">{value}</td></tr>\n'
        for name, value in rows
    )
    return f"<table>\n{lines}</table>\n" if rows else ""


def _time(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{utc:%Y-%m-%d %H:%M} UTC</time>'


def plain(text: str) -> str:
    """Without control characters, line breaks and tabs excepted, and without those of direction.

    With these "\\u202e0021" is read as 1200. Right-to-left text needs none: `dir="auto"`.
    """
    return "".join(
        sign
        for sign in text
        if sign in "\n\t" or not (sign in _TURNING or unicodedata.category(sign) == "Cc")
    )


def _html(text: str) -> str:
    return escape(plain(text))
