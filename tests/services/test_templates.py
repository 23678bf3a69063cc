"""The committed templates of the services are what their code gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_workflow.aws.synth.options import read_options
from lambda_workflow.aws.synth.template import synthesise
from lambda_workflow.cli.loading import load_app

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "infra" / "services").glob("*/template.yaml"))


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.parent.name)
def test_the_committed_template_is_what_the_code_gives(file: Path) -> None:
    address = f"lambda_workflow_services.{file.parent.name}.app:app"
    made = synthesise(load_app(address), address, read_options(file.parent / "synth.toml"))
    command = f"lambda-workflow synth {address} --options {file.parent}/synth.toml --out {file}"
    assert file.read_text() == made, f"run: {command}"
