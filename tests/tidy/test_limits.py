"""Sizes: a file, a class, a function and a signature fit in one look."""

from __future__ import annotations

import ast

from tests.tidy.tree import Function, Source, code_lines, sources

FILE_LINES_MAX = 400
CLASS_LINES_MAX = 250
FUNCTION_LINES_MAX = 70
POSITIONAL_PARAMETERS_MAX = 4

# The ratchet: functions longer than FUNCTION_LINES_GOOD may become fewer, never more.
FUNCTION_LINES_GOOD = 40
LONG_FUNCTIONS = 0


def test_files_are_short() -> None:
    long = [f"{s.path}: {s.line_count}" for s in sources() if s.line_count > FILE_LINES_MAX]
    assert not long, f"split these files (at most {FILE_LINES_MAX} lines)"


def test_classes_are_short() -> None:
    long = [
        f"{source.at(node)} {node.name}: {code_lines(node)}"
        for source in sources()
        for node in source.classes()
        if code_lines(node) > CLASS_LINES_MAX
    ]
    assert not long, f"split these classes (at most {CLASS_LINES_MAX} lines)"


def functions_longer_than(limit: int) -> list[str]:
    return [
        f"{source.at(node)} {node.name}: {code_lines(node)}"
        for source in sources()
        for node in source.functions()
        if code_lines(node) > limit
    ]


def test_functions_are_short() -> None:
    long = functions_longer_than(FUNCTION_LINES_MAX)
    assert not long, f"split these functions (at most {FUNCTION_LINES_MAX} lines)"


def test_long_functions_become_fewer() -> None:
    long = functions_longer_than(FUNCTION_LINES_GOOD)
    assert len(long) <= LONG_FUNCTIONS, f"split one of these: {long}"
    assert len(long) >= LONG_FUNCTIONS, f"well done: set LONG_FUNCTIONS to {len(long)}"


def is_called_by_name(source: Source, node: Function) -> bool:
    """Whether pytest passes the arguments, by name: tests and fixtures take what they need."""
    if not source.path.startswith(("tests/", "examples/")):
        return False
    return node.name.startswith("test_") or any(
        "fixture" in ast.unparse(decorator) for decorator in node.decorator_list
    )


def positional_parameters(node: Function) -> int:
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"], ["mcs"]))


def test_signatures_are_short() -> None:
    wide = [
        f"{source.at(node)} {node.name}: {positional_parameters(node)}"
        for source in sources()
        for node in source.functions()
        if positional_parameters(node) > POSITIONAL_PARAMETERS_MAX
        and not is_called_by_name(source, node)
    ]
    assert not wide, f"make parameters keyword-only past {POSITIONAL_PARAMETERS_MAX}"
