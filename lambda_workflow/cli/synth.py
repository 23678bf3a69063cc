"""`lambda-workflow synth`: an App's infrastructure, as a template to review and deploy."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any, Final

from lambda_workflow.cli.loading import load_app
from lambda_workflow.errors import ConfigurationError

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


def _synth(arguments: argparse.Namespace) -> int:
    from lambda_workflow.aws.synth.options import Options, read_options
    from lambda_workflow.aws.synth.template import synthesise

    file = arguments.out or arguments.diff
    beside = Path(file).parent / OPTIONS_FILE if file else Path(OPTIONS_FILE)
    chosen = Path(arguments.options) if arguments.options else beside
    is_there = arguments.options or chosen.is_file()
    options = read_options(chosen) if is_there else Options()
    text = synthesise(load_app(arguments.app), arguments.app, options, format=arguments.format)
    if arguments.diff:
        return _diff(text, Path(arguments.diff))
    if arguments.out:
        path = Path(arguments.out)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
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
