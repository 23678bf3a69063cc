"""What `run` sees to around the execution: its log, and the other executions of its file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from lambda_workflow.cli.progress import Progress
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.runtime.client import Client


async def refuse_to_skip_for_others(client: Client, execution_id: str, path: str) -> None:
    """The engine runs every execution of its file, and would let the waits of all of them pass.

    Raises:
        ConfigurationError: the file holds another execution that has not ended.
    """
    async for header in client.list_all():
        if header.execution_id != execution_id and not header.status.closed:
            raise ConfigurationError(
                f"--skip-time: {path} also holds execution {header.execution_id}, which is "
                f"{header.status}: its waits would pass as well. Give this run a file of its own, "
                "such as --db skipped.db"
            )


@contextmanager
def workflow_logs(progress: Progress) -> Iterator[None]:
    """Show what workflow code says by `ctx.logger`, from INFO on, among the lines of progress."""
    logger = logging.getLogger("lambda_workflow.workflow")
    handler, level, propagates = _Notes(progress), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


class _Notes(logging.Handler):
    """Writes records as notes of the progress."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Only what the execution that is shown has said."""
        if getattr(record, "execution_id", "") == self._progress.execution_id:
            level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
            self._progress.note(f"{level}{record.getMessage()}")
