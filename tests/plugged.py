"""pytest with the package's plugin, in a process and a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from tests.patience import patience

PLUGIN = "pytest_lambda_workflow"
ROOT = Path(__file__).parents[1]


def run_pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What pytest says of a folder, each test by name."""
    program = "import pytest, sys; sys.exit(pytest.main(sys.argv[1:]))"
    installed = {entry.value for entry in entry_points(group="pytest11")}
    plugin = ["-p", "no:cacheprovider"]
    if PLUGIN not in installed:  # an editable install keeps the entry points of its own day
        plugin += ["-p", PLUGIN]
    return subprocess.run(
        [sys.executable, "-c", program, *plugin, "-v", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=patience(120),
        check=False,
    )
