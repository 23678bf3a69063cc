"""A response's body: at most so many bytes of it, decompressed, and as what was expected."""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import AsyncIterable
from email.message import Message
from itertools import islice
from typing import Any, Final

from lambda_workflow_services.http import Expected, HttpResponse
from lambda_workflow_services.http.redaction import Redactor

# Codecs that web pages are written in (WHATWG's list); Python has others, of which some are slow.
_CHARSETS: Final = (
    "ascii", "big5", "cp125", "euc_", "gb", "iso8859", "koi8", "shift_jis", "utf-16", "utf-8",
)  # fmt: skip
_AUTOMATIC: Final = 32 + zlib.MAX_WBITS  # gzip or zlib, by the first bytes
_TYPE_CHARACTERS_MAX: Final = 1_000  # the parser takes seconds for a header of 90,000 semicolons
JSON_VALUES_MAX: Final = 150_000  # 30 MiB in memory, ten times in a function of 512
# Levels of lists and objects. What Python itself takes differs from version to version, and the
# codec of payloads takes 329 on 3.11.
JSON_DEPTH_MAX: Final = 200
# Texts, whose commas do not count. Nothing is tried twice, even where a text has no end.
_JSON_MARK: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|([,\[{])', re.DOTALL)
_TOO_DEEP: Final = (
    f"it is JSON that nests deeper than {JSON_DEPTH_MAX} levels: ask for the body as it is, by "
    'expect="text"'
)
_EMPTY_BYTES_MAX: Final = 64 * 1024  # of compressed data, beyond the limit of what is in them


class BadBody(Exception):
    """The body is not what was expected; the message says how."""


class TooLarge(Exception):
    """The body is longer than was allowed; `head` is what was read of it."""

    def __init__(self, head: bytes = b"") -> None:
        super().__init__()
        self.head = head


async def read(chunks: AsyncIterable[bytes], encoding: str, limit: int) -> bytes:
    """The body, decompressed.

    Raises:
        BadBody: it is compressed in another way than gzip and deflate, or cut off.
        TooLarge: it is longer than the limit; no more than that was kept in memory.
    """
    found = [part for part in encoding.lower().replace(" ", "").split(",") if part]
    codings = [part for part in found if part != "identity"]
    if not codings:
        body = bytearray()
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                raise TooLarge(bytes(body[:limit]))
        return bytes(body)
    if len(codings) > 1 or codings[0] not in ("gzip", "x-gzip", "deflate"):
        raise BadBody(f"its content-encoding is {encoding[:100]!r}, and only gzip is understood")
    return await _decompressed(chunks, limit)


async def _decompressed(chunks: AsyncIterable[bytes], limit: int) -> bytes:
    body = bytearray()
    received = 0
    inflater = zlib.decompressobj(_AUTOMATIC)
    try:
        async for chunk in chunks:
            received += len(chunk)
            if received > limit + _EMPTY_BYTES_MAX:  # nothing can be compressed without end too
                raise TooLarge(bytes(body))
            rest = chunk
            while rest:
                if inflater.eof:  # gzip may have several members
                    inflater = zlib.decompressobj(_AUTOMATIC)
                body += inflater.decompress(rest, limit - len(body) + 1)
                if len(body) > limit:
                    raise TooLarge(bytes(body[:limit]))
                rest = inflater.unused_data
    except zlib.error as error:
        raise BadBody(f"it cannot be decompressed: {error}") from None
    if not inflater.eof:
        raise BadBody("its compressed data are cut off")
    return bytes(body)


def response_of(
    content: bytes, expected: Expected, response: HttpResponse, hide: Redactor
) -> HttpResponse:
    """The response with its body in the field where it belongs.

    Raises:
        BadBody: it is not what was expected.
    """
    kind, charset = content_type(response.headers)
    if expected == "any":
        expected = _kind_of(kind) if content else "nothing"
    match expected:
        case "json":
            return response.model_copy(update={"json_body": _as_json(content, kind, hide)})
        case "text":
            return response.model_copy(update={"text": hide.text(as_text(content, charset))})
        case "bytes":
            return response.model_copy(update={"content": hide.content(content)})
        case _:
            return response


def content_type(headers: dict[str, str]) -> tuple[str, str]:
    """The media type and the charset that a response says, each empty if not said."""
    message = Message()
    message["content-type"] = headers.get("content-type", "")[:_TYPE_CHARACTERS_MAX]
    if not message["content-type"]:
        return "", ""
    return message.get_content_type(), message.get_content_charset() or ""


def as_text(content: bytes, charset: str) -> str:
    """Text as its charset says; as UTF-8 where that is unknown, with U+FFFD for what is not."""
    try:
        name = codecs.lookup(charset).name if charset else "utf-8"
    except (LookupError, ValueError):
        name = "utf-8"
    if not name.startswith(_CHARSETS):
        name = "utf-8"
    return content.decode(name, errors="replace").removeprefix("\ufeff")


def _kind_of(media_type: str) -> Expected:
    if media_type == "application/json" or media_type.endswith("+json"):
        return "json"
    return "text" if media_type.startswith("text/") or media_type.endswith("xml") else "bytes"


def _as_json(content: bytes, media_type: str, hide: Redactor) -> Any:
    try:
        # Not only UTF-8: in the bytes of UTF-16 a quotation mark may be half of another character.
        text = content.decode(json.detect_encoding(content))
        if _has_too_many_values(text):
            raise BadBody(
                f"it has more than {JSON_VALUES_MAX:,} JSON values: ask for less, or for the body "
                'as it is, by expect="text"'
            )
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise BadBody(_TOO_DEEP) from None
    except ValueError as error:
        said = f"said to be {media_type}" if media_type else "of a type that is not said"
        # The parser's words may have a piece of the content, which may have a secret.
        raise BadBody(f"it is no JSON: {type(error).__name__} ({said})") from None
    if _nests_too_deeply(value):
        raise BadBody(_TOO_DEEP)
    return hide.json(value)


def _has_too_many_values(text: str) -> bool:
    if sum(map(text.count, ",[{")) <= JSON_VALUES_MAX:
        return False
    marks = (found for found in _JSON_MARK.finditer(text) if found[1])
    return next(islice(marks, JSON_VALUES_MAX, None), None) is not None


def _nests_too_deeply(value: Any) -> bool:
    level: list[Any] = [[value]]
    for _ in range(JSON_DEPTH_MAX + 1):
        inside = (each.values() if isinstance(each, dict) else each for each in level)
        level = [item for items in inside for item in items if isinstance(item, list | dict)]
        if not level:
            return False
    return True


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
