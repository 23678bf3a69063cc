"""The command line: `lambda-workflow COMMAND …`, one module for each command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.payload_shown import values_shown

BROKEN_PIPE = 141  # as a shell has it: 128 and the signal's number


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 success, 1 failure, 2 wrong use."""
    try:
        from lambda_workflow.cli import (
            answer,
            history,
            init,
            look,
            orders,
            result,
            run,
            schedule,
            start,
            synth,
            talk,
        )
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        sys.stderr.write("the command line needs its extra: pip install 'lambda-workflow[cli]'\n")
        return 2
    parser = argparse.ArgumentParser(
        prog="lambda-workflow", description="Durable workflows on plain AWS parts."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    modules = (answer, history, init, look, orders, result, run, schedule, start, synth, talk)
    for command in modules:
        command.add_to(commands)
    arguments = parser.parse_args(argv)
    sys.path.insert(0, os.getcwd())
    try:
        with values_shown(getattr(arguments, "values", False)):
            code: int = arguments.command(arguments)
        sys.stdout.flush()
    except WorkflowError as error:
        sys.stderr.write(f"lambda-workflow: {error}\n")
        return 2
    except BrokenPipeError:  # `| head` has read enough; Python flushes once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code
