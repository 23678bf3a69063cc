"""What was chosen, and what follows from it for more than one part of the stack."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lambda_workflow.aws.synth import rights, timing
from lambda_workflow.aws.synth.gather import Needs
from lambda_workflow.aws.synth.names import BUCKET, KMS, SHARED_BUCKET, app_id
from lambda_workflow.aws.synth.options import Options
from lambda_workflow.aws.synth.resources import Queue, Statement
from lambda_workflow.aws.synth.uses import Uses
from lambda_workflow.aws.synth.values import Param, Ref, named
from lambda_workflow.runtime.app import App


@dataclass(frozen=True)
class Choices:
    """An App, its address and options, what it uses and what its adapters need."""

    app: App
    address: str
    options: Options
    uses: Uses
    needs: Needs

    @property
    def key(self) -> Param | None:
        """The key that all is encrypted with, if not AWS's."""
        return Param(KMS.id) if self.options.kms else None

    @property
    def key_right(self) -> tuple[Statement, ...]:
        """The right to use it."""
        return (rights.key(self.key),) if self.key else ()

    @property
    def has_table(self) -> bool:
        """Whether there are histories, or first results of tasks."""
        return self.uses.workflows or self.options.deduplicate

    @property
    def bucket(self) -> Ref | Param | None:
        """The name of the bucket for large payloads, this stack's or another's."""
        if self.options.shared_bucket:
            return Param(SHARED_BUCKET.id)
        return Ref(BUCKET, "name") if self.options.bucket else None

    @cached_property
    def callers(self) -> tuple[Param, ...]:
        """The FIFO queues of other Apps that get results."""
        return tuple(Param(app_id(name)) for name in self.uses.callers)

    def dead(self, id_: str, suffix: str, why: str) -> Queue:
        """A dead-letter queue."""
        return Queue(
            id=id_,
            why=why,
            name=named(suffix),
            retention_seconds=timing.KEPT_DEAD,
            kept=self.options.keep_dead_letters,
            kms_key=self.key,
        )
