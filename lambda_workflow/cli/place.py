"""Where a command finds the executions: an engine's file, or AWS."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.local.schema import DEFAULT_PATH
from lambda_workflow.local.sqlite import SqliteFile
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.client import Client


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add `--db` and `--aws` to a command's parser."""
    place = parser.add_mutually_exclusive_group()
    file = "the engine's file (%(default)s)"
    place.add_argument("--db", metavar="FILE", default=DEFAULT_PATH, help=file)
    aws = "on AWS, as the LAMBDA_WORKFLOW_ variables say"
    place.add_argument("--aws", action="store_true", help=aws)


def add_values(parser: argparse.ArgumentParser) -> None:
    """Add `--values` to the parser of a command that may show values of payloads."""
    words = "show the values of payloads, and the messages of errors, not only types and sizes"
    parser.add_argument("--values", action="store_true", help=words)


@asynccontextmanager
async def client_of(
    arguments: argparse.Namespace, app: App | None = None, *, creates: bool = False
) -> AsyncIterator[Client]:
    """A client of the engine's file, or of AWS; what only looks and tells needs no App.

    Args:
        creates: make the file if there is none, for an engine to come.

    Raises:
        ConfigurationError: there is no such file, or the variables for AWS are missing.
    """
    app = app or App("cli", workflows=[])
    if arguments.aws:
        from lambda_workflow.aws.backend import client_for

        client = client_for(app)
        try:
            yield client
        finally:
            await client.close()
        return
    file = SqliteFile(arguments.db) if creates else _existing(arguments.db)
    try:
        yield Client(app, file.backend)
    finally:
        await file.aclose()


def _existing(path: str) -> SqliteFile:
    if not Path(path).is_file():
        raise ConfigurationError(f"--db {path}: no such file; an engine creates it")
    return SqliteFile(path)
