"""Every committed template is one that SAM takes."""

from __future__ import annotations

import pytest

from tests.sam.cli import ROOT, sam

TEMPLATES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("infra", "examples")
    for path in (ROOT / folder).rglob("template.yaml")
)


@pytest.mark.sam
@pytest.mark.thorough
def test_sam_validates_every_committed_template_and_its_linter_finds_nothing() -> None:
    assert "infra/bank_transaction/template.yaml" in TEMPLATES
    told = sam(*(f"validate --lint -t {path}" for path in TEMPLATES))
    assert told.count("is a valid SAM Template") == len(TEMPLATES)
