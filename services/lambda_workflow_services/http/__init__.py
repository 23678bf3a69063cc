"""The contract of the service `http`: one HTTP request, and what came of it.

1. A secret is a reference here: its value is looked up where the request is sent, and is in no
   history, queue, log, error or response.
2. What can be seen to be wrong without sending is refused where the request is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lambda_workflow import RetryPolicy, Service

__all__ = ["HTTP", "HttpRequest", "HttpResponse", "Secret"]

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Expected = Literal["any", "json", "text", "bytes", "nothing"]
Store = Literal["secretsmanager", "parameter"]

URL_CHARACTERS_MAX: Final = 8_000  # what servers and the proxies before them commonly accept
TIMEOUT_MAX: Final = timedelta(minutes=10)  # a Lambda function has 15
REDIRECTS_MAX: Final = 10
RESPONSE_BYTES_MAX: Final = 10 * 1024 * 1024  # base64 makes 13.4 MiB of it, a payload has 16

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")
_URL: Final = re.compile(r"https?://[^\s/?#@\\]+(?:[/?#][^\s\\]*)?", re.IGNORECASE | re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f-\xa0]")
_STATUS: Final = re.compile(r"[1-5](?:xx|[0-9][0-9])")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")
# The sender's own: they frame the message, or belong to one connection.
_RESERVED: Final = frozenset(
    {
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is kept elsewhere, by reference.

    Args:
        name: below the prefix of the deployment: "stripe" is `shop/http/stripe` where that prefix
            is `shop/http/`. Letters, digits and `_ . -`, in parts divided by `/`.
        key: the field of a secret that is a JSON object; without it the whole text.
        store: Secrets Manager, or "parameter": a SecureString of SSM's Parameter Store.
        form: what is sent, with `{}` for the value: "Bearer {}".
    """

    name: str
    key: str = ""
    store: Store = "secretsmanager"
    form: str = "{}"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"secret name {self.name!r}: it must be letters, digits, '_', '.' and '-', in "
                "parts divided by single '/'; the deployment's prefix is not part of it"
            )
        if self.form.count("{}") != 1:
            raise ValueError(f"form {self.form!r} of a secret: it must have one '{{}}'")


Text = str | Secret
Parameter = str | int | float | bool | list[str] | Secret


class HttpRequest(BaseModel):
    """One request; at most one of `json_body`, `text`, `content` and `form` is its body.

    Args:
        url: http or https, without user and password; anything after `#` is not sent.
        query: is added to the URL's own.
        headers: names in any case; not those that frame the message, such as Host.
        json_body: any JSON value; None is no body.
        secrets: fields of `json_body` by JSON pointer ("/auth/password"), set before it is sent.
        text: sent as UTF-8; say its Content-Type in `headers` if it is not plain text.
        content: bytes as they are.
        form: sent as application/x-www-form-urlencoded.
        basic_auth: user and password, for an Authorization header.
        timeout: for everything, redirects and the body included; the deployment may allow less.
        success: the statuses that are no error: "200", or "2xx" for all of a kind.
        redirects: how many are followed, 0 to 10; each address is checked like the first.
        expect: "any" goes by the response's Content-Type; a response that is not what is expected
            is an error; "nothing" throws the body away unread.
        response_bytes_max: a longer body is an error; after decompression, at most 10 MiB.
        idempotency_header: carries the task id, the same in each attempt, unless the method is GET,
            HEAD or OPTIONS, or `headers` has it; None sends none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(max_length=URL_CHARACTERS_MAX)
    method: Method = "GET"
    query: Mapping[str, Parameter] = {}
    headers: Mapping[str, Text] = {}
    json_body: Any = None
    secrets: Mapping[str, Secret] = {}
    text: str | None = None
    content: bytes | None = None
    form: Mapping[str, Text] | None = None
    basic_auth: tuple[Text, Text] | None = None
    timeout: timedelta = Field(default=timedelta(seconds=30), gt=timedelta(0), le=TIMEOUT_MAX)
    success: tuple[str, ...] = ("2xx",)
    redirects: int = Field(default=0, ge=0, le=REDIRECTS_MAX)
    expect: Expected = "any"
    response_bytes_max: int = Field(default=1024 * 1024, gt=0, le=RESPONSE_BYTES_MAX)
    idempotency_header: str | None = "Idempotency-Key"

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if _CONTROL.search(url) or not _URL.fullmatch(url):
            raise ValueError(
                "it must be http:// or https:// with a host, without user and password, spaces, "
                "control characters and backslashes; a password belongs into `basic_auth`"
            )
        return url

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: Mapping[str, Text]) -> Mapping[str, Text]:
        for name, value in headers.items():
            _check_header_name(name)
            check_header_value(name, value.form if isinstance(value, Secret) else value)
        if len({name.lower() for name in headers}) < len(headers):
            raise ValueError("a header is there twice, in different case")
        return headers

    @field_validator("idempotency_header")
    @classmethod
    def _check_idempotency_header(cls, name: str | None) -> str | None:
        if name is not None:
            _check_header_name(name)
        return name

    @field_validator("success")
    @classmethod
    def _check_success(cls, success: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [status for status in success if not _STATUS.fullmatch(status)]
        if wrong or not success:
            raise ValueError(f"{wrong}: statuses are written as '200', or '2xx' for all of a kind")
        return success

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        bodies = (self.json_body, self.text, self.content, self.form)
        given = sum(body is not None for body in bodies)
        if given > 1:
            raise ValueError("at most one of json_body, text, content and form is the body")
        if given and self.method in ("GET", "HEAD", "OPTIONS"):
            raise ValueError(f"{self.method} takes no body")
        if self.basic_auth and any(name.lower() == "authorization" for name in self.headers):
            raise ValueError("basic_auth and an Authorization header exclude each other")
        for pointer in self.secrets:
            _check_pointer(self.json_body, pointer)
        if self.url.lower().startswith("http:") and any(self.all_secrets()):
            raise ValueError("a secret is sent by https only")
        return self

    def all_secrets(self) -> list[Secret]:
        """The secrets that it refers to, in the order of its fields."""
        places = (self.query, self.headers, self.secrets, self.form or {})
        found = [value for place in places for value in place.values()]
        found += self.basic_auth or ()
        return [value for value in found if isinstance(value, Secret)]


class HttpResponse(BaseModel):
    """What the server answered; at most one of `json_body`, `text` and `content` is there.

    Attributes:
        status: of the last response, where redirects were followed.
        headers: names in lower case; values of one name are joined by ", ", those of set-cookie by
            a line end.
        url: where the response came from.
        json_body, text, content: the body, by `HttpRequest.expect`; all None if it is empty, or a
            JSON null.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    status: int
    headers: dict[str, str] = {}
    url: str = ""
    json_body: Any = None
    text: str | None = None
    content: bytes | None = None


def check_header_value(name: str, value: str) -> None:
    """Refuse what could end a header, or a server might read as something else.

    Raises:
        ValueError: does not have the value, which may be a secret.
    """
    if not _VALUE.fullmatch(value) or value != value.strip():
        raise ValueError(
            f"value of header {name!r}: it must be printable ASCII, without line ends and without "
            "spaces around it"
        )


def _check_header_name(name: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r}: it must be letters, digits and !#$%&'*+-.^_`|~")
    if name.lower() in _RESERVED:
        raise ValueError(f"header {name!r} is set by the sender, and cannot be given")


def _check_pointer(body: Any, pointer: str) -> None:
    """Refuse a JSON pointer whose field has no place in a body.

    Raises:
        ValueError: says what is missing.
    """
    *parents, last = pointer_parts(pointer)
    place = body
    for part in parents:
        place = place.get(part) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last in place:
        raise ValueError(
            f"secrets has {pointer!r}: json_body must have the object that this field is put into, "
            "and not the field; elements of lists cannot be named"
        )


def pointer_parts(pointer: str) -> list[str]:
    """The names in a JSON pointer (RFC 6901).

    Raises:
        ValueError: it is none.
    """
    if not pointer.startswith("/"):
        raise ValueError(f"secrets has {pointer!r}: a JSON pointer begins with '/': '/password'")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


# Without an attempt_timeout: it would run while a task waits its turn behind thousands of others,
# and each call would pay for a timer. A task that is lost is in the dead-letter queue.
HTTP: Final = Service(
    "http",
    HttpRequest,
    HttpResponse,
    retry=RetryPolicy(attempts=5, initial=timedelta(seconds=2)),
)
