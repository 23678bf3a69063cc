"""The resources of a stack, typed, in no template's language.

`id` is a resource's name within the stack, in words joined by `-`; `why` is a sentence for whoever
reads the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_workflow.aws.synth.values import (
    Because,
    Builtin,
    ListOf,
    Param,
    Parameter,
    Ref,
    Split,
    Text,
    UrlOfArn,
    Value,
)

Target = Ref | Param | Text | Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """An SQS queue; FIFO by its name.

    Attributes:
        dead_letters: the id of another one; empty where nothing is fed by it.
        delay_seconds: how long a message may be meant to wait.
        kept: whether it outlives the stack.
    """

    id: str
    why: str
    name: Text
    retention_seconds: Because
    visibility_seconds: Because | None = None
    receives: Because | None = None
    dead_letters: str = ""
    delay_seconds: int = 0
    kept: bool = False
    kms_key: Param | None = None

    @property
    def fifo(self) -> bool:
        """Whether its messages have groups."""
        return str(self.name.parts[-1]).endswith(".fifo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A DynamoDB table; `definition` is what `CreateTable` takes, keys and indexes."""

    id: str
    why: str
    name: Text
    definition: Mapping[str, Any]
    recovery: bool
    protected: bool
    kms_key: Param | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """An S3 bucket for large payloads."""

    id: str
    why: str
    expiry_days: Because
    kms_key: Param | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleGroup:
    """An EventBridge Scheduler group."""

    id: str
    why: str
    name: Text


@dataclass(frozen=True, slots=True)
class Statement:
    """What a role may do, and with what; only where `unless_empty` are not.

    Attributes:
        anything: why the targets are all there are; empty where they are not.
    """

    sid: str
    actions: tuple[str, ...]
    targets: tuple[Target, ...]
    conditions: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    unless_empty: tuple[Param, ...] = ()
    anything: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """An IAM role of one AWS service; `trust` narrows for whom that service may assume it."""

    id: str
    why: str
    service: str
    statements: tuple[Statement, ...]
    trust: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A managed policy, for whoever it is attached to."""

    id: str
    why: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup:
    """Where a function's log goes."""

    id: str
    why: str
    name: Text
    days: int
    kms_key: Param | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A Lambda function; `role` and `log` are ids, `reserved` is concurrency of its own."""

    id: str
    why: str
    name: Text
    handler: str
    python: str
    code: str
    memory_mb: int
    timeout_seconds: Because
    role: str
    log: str
    environment: Mapping[str, Value]
    reserved: int = 0
    kms_key: Param | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """An event source mapping: `queue` and `function` are ids."""

    id: str
    why: str
    queue: str
    function: str
    batch: Because
    concurrency: Because


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUrl:
    """A URL of a function, which asks nobody who they are."""

    id: str
    why: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Lets everybody call a function by its URL; one of the two that AWS wants for that.

    Attributes:
        direct: whether it is `lambda:InvokeFunction`, by the URL alone.
    """

    id: str
    why: str
    function: str
    direct: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An EventBridge rule, and the queue that its events come to; queues are ids.

    Attributes:
        pattern: JSON text.
        unless_empty: it is there only where these parameters are not empty.
    """

    id: str
    why: str
    name: Text
    bus: Value
    pattern: Value
    queue: str
    dead_letters: str
    unless_empty: tuple[Param, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePolicy:
    """Who may not use a queue, and who outside the account's roles may; a queue has one policy.

    Attributes:
        queue: an id. Requests to it without TLS are refused.
        rule: the id of a rule that sends to it; empty: none does.
        rule_unless_empty: the rule is there only where these parameters are not empty.
    """

    id: str
    why: str
    queue: str
    rule: str = ""
    rule_unless_empty: tuple[Param, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPolicy:
    """Refuses requests to a bucket without TLS; `bucket` is an id."""

    id: str
    why: str
    bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """The schedules of the App; a deployment that changes them asks a function to make them.

    Attributes:
        function, role: ids, of the function and of what lets it.
        digests: of each schedule, by its name.
    """

    id: str
    why: str
    function: str
    role: str
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Metric:
    """A CloudWatch metric; without dimensions one of this stack's own."""

    namespace: str
    name: str | Text
    dimensions: Mapping[str, Ref] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCount:
    """Counts the lines of a log that a pattern fits, as a metric."""

    id: str
    why: str
    log: str
    pattern: str
    metric: Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Tells when a metric is over a threshold in `breaching` of the last `periods` minutes."""

    id: str
    why: str
    name: Text
    metric: Metric
    statistic: str
    threshold: Because | int
    periods: int
    breaching: int
    topic: ListOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A CloudWatch dashboard: titles and the metrics below each."""

    id: str
    why: str
    name: Text
    charts: tuple[tuple[str, str, tuple[Metric, ...]], ...]


Resource = (
    Queue | Table | Bucket | ScheduleGroup | Role | Policy | LogGroup | Function | Trigger
    | FunctionUrl | Permission | Rule | QueuePolicy | BucketPolicy | Schedules | LogCount | Alarm
    | Dashboard
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Output:
    """What a deployed stack tells."""

    id: str
    about: str
    value: Ref | Text | Param | Builtin | UrlOfArn


@dataclass(frozen=True, slots=True)
class Stack:
    """All of it."""

    about: str
    parameters: tuple[Parameter, ...]
    resources: tuple[Resource, ...]
    outputs: tuple[Output, ...]
