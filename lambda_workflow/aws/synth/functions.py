"""A function with what belongs to it: its role, its log, its triggers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lambda_workflow.aws.synth import rights
from lambda_workflow.aws.synth.names import KMS
from lambda_workflow.aws.synth.needs import Page
from lambda_workflow.aws.synth.options import FunctionOptions, Options
from lambda_workflow.aws.synth.resources import (
    Function,
    LogGroup,
    Resource,
    Role,
    Statement,
    Trigger,
)
from lambda_workflow.aws.synth.values import Because, Param, Text, Value, named


@dataclass(frozen=True, slots=True)
class Making:
    """A function in the making, with its role and log."""

    options: Options
    words: str
    chosen: FunctionOptions | Page
    seconds: Because

    @property
    def key(self) -> Param | None:
        """The key of its log and variables, if not AWS's."""
        return Param(KMS.id) if self.options.kms else None

    def parts(
        self,
        handler: str,
        why: str,
        variables: Mapping[str, Value],
        statements: Iterable[Statement],
    ) -> Iterator[Resource]:
        """Log, role and function; the right to write the log comes with it."""
        function, role, log = (f"{self.words}-{part}" for part in ("function", "role", "log"))
        physical = named(f"-{self.words}")
        yield LogGroup(
            id=log,
            why="Made here, so that it has a retention and goes with the stack.",
            name=Text(("/aws/lambda/", *physical.parts)),
            days=self.options.log_days,
            kms_key=self.key,
        )
        yield Role(
            id=role,
            why="What the function calls, and nothing else.",
            service="lambda.amazonaws.com",
            statements=(rights.log(log), *statements),
        )
        yield Function(
            id=function,
            why=why,
            name=physical,
            handler=handler,
            python=self.options.python,
            code=self.options.code,
            memory_mb=self.chosen.memory,
            timeout_seconds=self.seconds,
            role=role,
            log=log,
            environment=dict(sorted(variables.items())),
            kms_key=self.key,
            reserved=self.chosen.concurrency if isinstance(self.chosen, Page) else 0,
        )


def trigger(chosen: FunctionOptions, function: str, queue: str, about: tuple[str, str]) -> Trigger:
    """What feeds a function from a queue; `about` is its id, and why it is there."""
    return Trigger(
        id=about[0],
        why=about[1],
        queue=queue,
        function=function,
        batch=Because(
            chosen.batch,
            "More than 10 need a batching window, which delays; a FIFO queue has none.",
        ),
        concurrency=Because(
            chosen.concurrency,
            "The mapping waits for a free one; without it, what is throttled was received.",
        ),
    )
