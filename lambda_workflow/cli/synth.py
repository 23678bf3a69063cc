"""`lambda-workflow synth`: an App's infrastructure, as a template to review and deploy."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any, Final

from lambda_workflow.cli.loading import load_app
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.runtime.app import App

OPTIONS_FILE: Final = "synth.toml"
FORMATS: Final = ("sam", "terraform")


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("synth", help="write an App's infrastructure as a template")
    parser.add_argument("app", metavar="MODULE:APP", help="such as shop.app:app")
    parser.add_argument("--format", choices=FORMATS, default="sam", help="(%(default)s)")
    parser.add_argument(
        "--options",
        metavar="FILE",
        help=f"what differs from the defaults; {OPTIONS_FILE} beside the template, if there",
    )
    to = parser.add_mutually_exclusive_group()
    to.add_argument("--out", metavar="FILE", help="write it there; to standard output if not given")
    to.add_argument("--diff", metavar="FILE", help="show what would change in it; 1 if anything")
    parser.set_defaults(command=_synth)


def written(app: App, address: str, options: Path | None, format: str = "sam") -> str:
    """The template of an App, with the options of a file.

    Raises:
        ConfigurationError: it cannot work; says what to change.
    """
    try:
        from lambda_workflow.aws.synth.options import Options, read_options
        from lambda_workflow.aws.synth.template import synthesise
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "botocore":
            raise
        raise ConfigurationError(
            "templates need an extra: pip install 'lambda-workflow[aws]'"
        ) from error
    chosen = Options() if options is None else read_options(options)
    return synthesise(app, address, chosen, format="terraform" if format == "terraform" else "sam")


def _synth(arguments: argparse.Namespace) -> int:
    file = arguments.out or arguments.diff
    beside = Path(file).parent / OPTIONS_FILE if file else Path(OPTIONS_FILE)
    found = beside if beside.is_file() else None
    options = Path(arguments.options) if arguments.options else found
    text = written(load_app(arguments.app), arguments.app, options, arguments.format)
    if arguments.diff:
        return _diff(text, Path(arguments.diff))
    if arguments.out:
        path = Path(arguments.out)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"--out {path}: {error.strerror or error}") from error
    else:
        sys.stdout.write(text)
    return 0


def _diff(text: str, path: Path) -> int:
    try:
        before = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--diff {path}: {error.strerror or error}") from error
    changes = list(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            text.splitlines(keepends=True),
            str(path),
            f"{path} as the code has it",
        )
    )
    sys.stdout.writelines(changes)
    return 1 if changes else 0
