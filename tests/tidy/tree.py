"""The files of the repository, as the tidy tests read them."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file: its path from the root, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def line_count(self) -> int:
        return self.text.count("\n")

    def at(self, node: ast.stmt) -> str:
        """Where `node` stands, as an editor opens it."""
        return f"{self.path}:{node.lineno}"

    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    def classes(self) -> list[ast.ClassDef]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]

    def imported_modules(self) -> set[str]:
        """The full names of all modules imported anywhere in the file."""
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
        return names


@cache
def files() -> tuple[str, ...]:
    """What git tracks or would track; in an unpacked sdist, every file."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
        paths = listed.stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        paths = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
        paths = [path for path in paths if not path.startswith(".") and "__pycache__" not in path]
    return tuple(sorted(path for path in paths if path and (ROOT / path).is_file()))


@cache
def texts() -> dict[str, str]:
    """Path to content of every file that is text."""
    found: dict[str, str] = {}
    for path in files():
        try:
            found[path] = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file."""
    python = {path: text for path, text in texts().items() if path.endswith(".py")}
    return tuple(Source(path, text, ast.parse(text, path)) for path, text in python.items())


def code_lines(node: Function | ast.ClassDef) -> int:
    """Lines from the first to the last, the docstring not counted: explaining costs nothing."""
    total = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return total
    return total - ((first.end_lineno or first.lineno) - first.lineno + 1)
