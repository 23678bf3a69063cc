"""The code blocks of a Markdown file, and how a reader would run them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `line` is where its first line stands in the file."""

    language: str
    text: str
    line: int


def blocks_of(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    for found in FENCE.finditer(text):
        yield Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1)


async def run(block: Block, module: ModuleType, page: Path) -> str:
    """Execute a block in a module, `await` allowed at its top level; what it printed."""
    code = compile(
        "\n" * (block.line - 1) + block.text,
        str(page),
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,
    )
    printed = StringIO()
    with redirect_stdout(printed):
        waiting: Any = eval(code, module.__dict__)
        if inspect.isawaitable(waiting):
            await waiting
    return printed.getvalue()


async def run_page(page: Path, module: ModuleType) -> None:
    """Execute the Python blocks of a page, in order; they print what the page says."""
    printed = ""
    for block, after in pairwise([*blocks_of(page), None]):
        assert block is not None
        if block.language == "python":
            printed = await run(block, module, page)
            if after is None or after.language != "text":
                assert not printed, f"{page.name}:{block.line} prints; show what, in a text block"
        elif block.language == "text":
            assert printed == block.text, f"{page.name}:{block.line}"
