"""What operators see where no observer of their own is given: the standard log."""

from __future__ import annotations

import json
import logging
from typing import Final

from lambda_workflow.ports import Happening

_log = logging.getLogger("lambda_workflow")


class LogObserver:
    """Writes what is worth a look as JSON lines; the turns themselves at debug level."""

    _LEVELS: Final = {
        "turn": logging.DEBUG,
        "step": logging.DEBUG,
        "duplicate": logging.DEBUG,
        "closed": logging.INFO,
    }

    def notify(self, happening: Happening) -> None:
        """Log it."""
        level = self._LEVELS.get(happening.kind, logging.WARNING)
        if happening.fields.get("expected"):
            level = logging.DEBUG
        if _log.isEnabledFor(level):
            line = {"happening": happening.kind, "execution_id": happening.execution_id}
            _log.log(level, "%s", json.dumps({**line, **happening.fields}, default=str))
