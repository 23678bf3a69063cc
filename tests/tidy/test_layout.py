"""Rooms: what stands where, what may be imported there, and what the front door shows."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

import lambda_workflow
from tests.tidy.tree import ROOT, files, sources

TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
    "benchmarks", "constraints-sam.txt",
    "constraints.txt", "docs", "examples", "infra", "lambda_workflow",
    "pyproject.toml", "pytest_lambda_workflow.py", "services", "tests",
}  # fmt: skip

# Distributions by the room that may import them; "" is every room.
THIRD_PARTY = {
    "": {"anyio", "pydantic", "pydantic_core"},
    "aws": {"botocore"},
    "cli": {"rich"},
    "runtime": {"cronsim"},
    "testing": {"pytest"},
}

HEAVY = {
    "aioboto3", "aiobotocore", "aiohttp", "boto3", "botocore", "click", "cronsim", "moto", "pytest",
    "rich", "sqlite3", "zoneinfo",
}  # fmt: skip


def room_of(path: str) -> str:
    """`lambda_workflow/aws/sqs.py` is in room `aws`, `lambda_workflow/ports.py` in `ports`."""
    return path.split("/")[1].removesuffix(".py")


def test_the_top_level_is_known() -> None:
    unknown = {path.split("/")[0] for path in files()} - TOP_LEVEL
    assert not unknown, "put these into a folder, or add a line to TOP_LEVEL"


def test_only_declared_distributions_are_imported() -> None:
    undeclared = [
        f"{source.path} imports {name}"
        for source in sources()
        if source.path.startswith("lambda_workflow/")
        for name in sorted({module.split(".")[0] for module in source.imported_modules()})
        if name not in sys.stdlib_module_names | {"lambda_workflow"}
        if name not in THIRD_PARTY[""] | THIRD_PARTY.get(room_of(source.path), set())
    ]
    assert not undeclared, "an extra of pyproject.toml must bring it, and THIRD_PARTY name its room"


def test_rooms_import_each_other_not_the_facade() -> None:
    circular = [
        f"{source.at(node)} imports {alias.name}"
        for source in sources()
        if source.path.startswith("lambda_workflow/") and room_of(source.path) != "__init__"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "lambda_workflow"
        for alias in node.names
        if alias.name in lambda_workflow.__all__
    ]
    assert not circular, "import from the module that defines the name"


def test_the_facade_names_nothing_twice() -> None:
    # ruff's RUF022 has the order: constants, classes, functions
    assert len(lambda_workflow.__all__) == len(set(lambda_workflow.__all__))


def is_unexplained(name: str) -> bool:
    value = getattr(lambda_workflow, name)
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return False
    written = inspect.cleandoc(value.__doc__ or "")
    # A dataclass without a docstring is given its signature as one.
    return not written or written.startswith(f"{name}(")


def test_every_public_name_is_explained() -> None:
    assert [name for name in lambda_workflow.__all__ if is_unexplained(name)] == []


def test_importing_the_package_is_light() -> None:
    code = "import sys, lambda_workflow; print(*sorted({n.split('.')[0] for n in sys.modules}))"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    assert set(loaded.stdout.split()) & HEAVY == set()


def test_the_package_is_typed() -> None:
    assert "lambda_workflow/py.typed" in files()
