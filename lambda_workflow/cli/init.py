"""`lambda-workflow init`: a project to begin with, that passes its own tests."""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from lambda_workflow.cli.loading import load_app
from lambda_workflow.cli.synth import OPTIONS_FILE, written
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.ids import check_name

SCAFFOLD: Final = Path(__file__).parent / "scaffold"
# Where each file of the scaffold goes; `PACKAGE` is the project's package.
FILES: Final = {
    "README.md": "README.md",
    "Makefile": "Makefile",
    "pyproject.toml": "pyproject.toml",
    OPTIONS_FILE: "synth.toml",
    ".gitignore": "gitignore",
    ".github/workflows/ci.yml": "ci.yml",
    "requirements-dev.txt": "requirements-dev.txt",
    "src/requirements.txt": "requirements.txt",
    "src/PACKAGE/__init__.py": "init.py",
    "src/PACKAGE/app.py": "app.py",
    "src/PACKAGE/workflow.py": "workflow.py",
    "src/PACKAGE/services.py": "services.py",
    "src/PACKAGE/lambda_function.py": "lambda_function.py",
    "src/PACKAGE/lambda_services.py": "lambda_services.py",
    "tests/test_workflow.py": "test_workflow.py",
    "tests/test_template.py": "test_template.py",
}


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("init", help="make a project to begin with")
    parser.add_argument("name", metavar="NAME", help="of the folder and the App, such as shop")
    parser.set_defaults(command=_init)


def _init(arguments: argparse.Namespace) -> int:
    name = check_name("app", arguments.name)
    folder = Path(name)
    if folder.exists():
        raise ConfigurationError(f"{folder} is there already: choose another name, or move it away")
    package = _package_of(name)
    for target, source in FILES.items():
        text = (SCAFFOLD / f"{source}.txt").read_text(encoding="utf-8")
        path = folder / target.replace("PACKAGE", package)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = text.replace("{{project}}", name).replace("{{package}}", package)
        path.write_text(text, encoding="utf-8")
    sys.path.insert(0, str(folder / "src"))
    address = f"{package}.app:app"
    try:
        template = written(load_app(address), address, folder / OPTIONS_FILE)
    except ConfigurationError:  # no stack may have the name
        shutil.rmtree(folder)
        raise
    (folder / "template.yaml").write_text(template, encoding="utf-8")
    sys.stdout.write(f"{name}/ is made; its README.md has the next steps\n")
    return 0


def _package_of(name: str) -> str:
    """The name of the package, which must be Python's and nobody else's."""
    package = name.lower().replace("-", "_")
    if not package.isidentifier() or keyword.iskeyword(package):
        raise ConfigurationError(f"{name!r} is no name for a Python package: begin with a letter")
    if importlib.util.find_spec(package) is not None:
        raise ConfigurationError(f"there is a Python module {package!r} already: another name")
    return package
