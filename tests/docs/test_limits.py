"""docs/limits.md has the table of model/limits.py: every limit, with its value."""

from __future__ import annotations

import re
from pathlib import Path

from lambda_workflow.model import limits

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([\d,]+) \|", re.MULTILINE)


def test_the_page_and_the_code_have_the_same_limits() -> None:
    in_code = {name: value for name, value in vars(limits).items() if name.isupper()}
    on_page = {name: int(value.replace(",", "")) for name, value in ROW.findall(PAGE.read_text())}
    assert on_page == in_code
