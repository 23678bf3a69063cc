"""Configuration by environment variables, read once; docs/configuration.md lists them."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.ports import APP_ADDRESS
from lambda_workflow.runtime.turn_limits import TURN_LIMITS, TurnLimits

PREFIX: Final = "LAMBDA_WORKFLOW_"
RETENTION_DAYS: Final = 30
RETENTION_DAYS_MAX: Final = 3650
DEAD_LETTER_DAYS: Final = 14  # SQS's longest, which the templates give dead-letter queues
DEAD_LETTER: Final = "DLQ_URL"
VARIABLES: Final = {
    "TABLE": "the name of the DynamoDB table that holds the histories",
    "QUEUE_URL": "the URL of the workflow's FIFO queue",
    "DLQ_URL": "the URL of the dead-letter queue, where unreadable messages are moved to",
    "DELAY_QUEUE_URL": "the URL of the standard queue that delays timers of up to 15 minutes",
    "RESPONSE_QUEUE_URL": "the URL of the queue that outcomes are sent to",
    "SCHEDULER_GROUP": "the EventBridge Scheduler group for timers beyond 15 minutes",
    "SCHEDULER_ROLE_ARN": "the role that Scheduler assumes to send to the FIFO queue",
    "SCHEDULER_DLQ_ARN": "the ARN of a standard queue for timers that Scheduler cannot deliver",
    "QUEUE_ARN": "the ARN of the FIFO queue, which Scheduler needs",
    "BUCKET": "the S3 bucket for payloads over 32 KB; chunks in the table without it",
    "RETENTION_DAYS": "how long a finished execution is kept, 14 to 3650; 30 if not set",
    "SERVICE_QUEUE_URL": "the URL of the service's own queue, for tasks that come back Later",
    "SERVICE": "the service whose queue this is: its adapter alone gets the events of a bus",
    "TURN_WARNING_SECONDS": "how long workflow code may run without waiting before it is named",
    "TURN_SECONDS_MAX": "how long it may run before it is cut off, and its execution BLOCKED",
    "GUARD": "1 refuses the clock, chance and I/O in workflow code, at its line",
    "DEDUPLICATE": "1 makes service functions answer a repeated task from its first result",
}


_log = logging.getLogger("lambda_workflow")


@dataclass(frozen=True, slots=True)
class AwsConfig:
    """Where things are. Empty text: not set up."""

    table: str
    queue_url: str
    dlq_url: str = ""
    delay_queue_url: str = ""
    response_queue_url: str = ""
    scheduler_group: str = ""
    scheduler_role_arn: str = ""
    queue_arn: str = ""
    bucket: str = ""
    retention_days: int = RETENTION_DAYS
    deduplicate: bool = False
    service_queue_urls: Mapping[str, str] = field(default_factory=dict)
    app_queue_urls: Mapping[str, str] = field(default_factory=dict)
    own_queue_url: str = ""
    own_service: str = ""
    scheduler_dlq_arn: str = ""
    turn_limits: TurnLimits = TURN_LIMITS
    guard: bool = False

    def service_queue_url(self, service: str) -> str:
        """The queue of a service.

        Raises:
            ConfigurationError: its variable is not set.
        """
        url = self.service_queue_urls.get(variable_of(service))
        if not url:
            raise ConfigurationError(
                f"service {service!r} has no queue: set {variable_of(service)} to its URL"
            )
        return url

    def return_url(self, service: str) -> str:
        """The queue that a service's function puts a task back on.

        Raises:
            ConfigurationError: neither its variable nor the one that workflows have is set, or it
                is a FIFO queue, which has no delay of one message.
        """
        url = self.own_queue_url or self.service_queue_urls.get(variable_of(service), "")
        if not url or url.endswith(".fifo"):
            said = f"{PREFIX}SERVICE_QUEUE_URL is {url!r}" if url else "it is not set"
            raise ConfigurationError(
                f"service {service!r} raised Later, and its task cannot be put back: set "
                f"{PREFIX}SERVICE_QUEUE_URL to the URL of its own standard queue ({said})"
            )
        return url

    def inbox_url(self, address: str) -> str:
        """The queue that a message goes to: a URL, this App's own if empty, or `app:NAME`.

        Raises:
            ConfigurationError: the variable of that App is not set.
        """
        app = address.removeprefix(APP_ADDRESS)
        if app == address:
            return address or self.queue_url
        url = self.app_queue_urls.get(app_variable_of(app))
        if not url:
            raise ConfigurationError(
                f"app {app!r}, whose workflow is called, has no queue: set {app_variable_of(app)} "
                "to the URL of its FIFO queue"
            )
        return url


def app_variable_of(app: str) -> str:
    """The variable with the URL of another App's FIFO queue."""
    return f"{PREFIX}APP_{re.sub('[^A-Z0-9]', '_', app.upper())}_QUEUE_URL"


def is_of_service(variable: str) -> bool:
    """Whether a variable has the URL of a service's queue."""
    return variable.startswith(f"{PREFIX}SERVICE_") and variable != f"{PREFIX}SERVICE_QUEUE_URL"


def variable_of(service: str) -> str:
    """The variable with the URL of a service's queue."""
    return f"{PREFIX}SERVICE_{re.sub('[^A-Z0-9]', '_', service.upper())}_QUEUE_URL"


def read_config(
    environ: Mapping[str, str] | None = None, *, required: tuple[str, ...] = ("TABLE", "QUEUE_URL")
) -> AwsConfig:
    """The configuration of this process.

    Raises:
        ConfigurationError: variables are missing or wrong; names all of them at once.
    """
    env = os.environ if environ is None else environ
    given = {name: env.get(PREFIX + name, "").strip() for name in VARIABLES}
    wrong = _wrong_of(given, required)
    turn_limits = turn_limits_of(given, wrong)
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    days = int(given["RETENTION_DAYS"] or RETENTION_DAYS)
    _warn_of_short_retention(days)
    services = {k: v for k, v in env.items() if is_of_service(k)}
    apps = {k: v.strip() for k, v in env.items() if k.startswith(f"{PREFIX}APP_")}
    return AwsConfig(
        given["TABLE"],
        given["QUEUE_URL"],
        given["DLQ_URL"],
        given["DELAY_QUEUE_URL"],
        given["RESPONSE_QUEUE_URL"],
        given["SCHEDULER_GROUP"],
        given["SCHEDULER_ROLE_ARN"],
        given["QUEUE_ARN"],
        given["BUCKET"],
        days,
        given["DEDUPLICATE"] == "1",
        services,
        apps,
        given["SERVICE_QUEUE_URL"],
        given["SERVICE"],
        given["SCHEDULER_DLQ_ARN"],
        turn_limits,
        given["GUARD"] == "1",
    )


def _warn_of_short_retention(days: int) -> None:
    if days < DEAD_LETTER_DAYS:
        _log.warning(
            "%sRETENTION_DAYS is %s, and a dead letter may live %d days: a start that is moved "
            "back after its execution has expired runs everything again. Set %d or more",
            PREFIX,
            days,
            DEAD_LETTER_DAYS,
            DEAD_LETTER_DAYS,
        )


def _wrong_of(given: Mapping[str, str], required: tuple[str, ...]) -> list[str]:
    """What is missing or wrong."""
    wrong = [f"{PREFIX}{n} is not set: {VARIABLES[n]}" for n in required if not given[n]]
    if given["SCHEDULER_GROUP"] and not (given["SCHEDULER_ROLE_ARN"] and given["QUEUE_ARN"]):
        wrong.append(
            f"{PREFIX}SCHEDULER_GROUP needs {PREFIX}SCHEDULER_ROLE_ARN and {PREFIX}QUEUE_ARN too"
        )
    wrong += [
        f"{PREFIX}{name} is {given[name]!r}: it must be 1 or 0"
        for name in ("DEDUPLICATE", "GUARD")
        if given[name] not in ("", "0", "1")
    ]
    if given["DEDUPLICATE"] == "1" and not given["TABLE"] and "TABLE" not in required:
        wrong.append(f"{PREFIX}DEDUPLICATE needs {PREFIX}TABLE too, where results are kept")
    days = given["RETENTION_DAYS"] or str(RETENTION_DAYS)
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= RETENTION_DAYS_MAX):
        wrong.append(
            f"{PREFIX}RETENTION_DAYS is {days!r}: it must be a whole number, 1 to "
            f"{RETENTION_DAYS_MAX}"
        )
    return wrong


def turn_limits_of(given: Mapping[str, str], wrong: list[str]) -> TurnLimits:
    """Seconds by their variables, `none` is no limit; what is wrong with them is added."""
    found: dict[str, float | None] = {}
    for name, seconds in (
        ("TURN_WARNING_SECONDS", TURN_LIMITS.warning_seconds),
        ("TURN_SECONDS_MAX", TURN_LIMITS.seconds_max),
    ):
        found[name], text = seconds, given[name].lower()
        if text == "none":
            found[name] = None
        elif re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) and float(text) > 0:
            found[name] = float(text)
        elif text:
            wrong.append(f"{PREFIX}{name} is {text!r}: it must be seconds above 0, or `none`")
    return TurnLimits(found["TURN_WARNING_SECONDS"], found["TURN_SECONDS_MAX"])
