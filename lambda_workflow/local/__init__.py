"""Host 2: the embedded engine, and all ports over one SQLite file."""

from lambda_workflow.local.clock import SkippingClock
from lambda_workflow.local.engine import Engine
from lambda_workflow.local.sqlite import SqliteFile

__all__ = ["Engine", "SkippingClock", "SqliteFile"]
