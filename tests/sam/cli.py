"""The SAM CLI, which lives in an environment of its own (`make sam`)."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.conftest import SAM
from tests.patience import patience

ROOT: Final = Path(__file__).parents[2]
# Starting the CLI takes longer than most of what it does, so one process may run several commands.
SEVERAL: Final = """
import shlex, sys
from samcli.cli.main import cli
for line in sys.argv[1:]:
    cli.main(shlex.split(line), standalone_mode=False)
"""
# The Python of this environment, and the machine's own processor: `sam build` needs the Python that
# it builds for, and what it built is to run here. The templates say 3.13 and arm64.
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
PROCESSOR: Final = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def environment() -> dict[str, str]:
    """No telemetry, no look at an account, nothing in the home folder, our versions."""
    return {
        **os.environ,
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": tempfile.gettempdir(),
        "AWS_DEFAULT_REGION": "us-east-1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
    }


def sam(*lines: str, cwd: Path = ROOT) -> str:
    """Run commands of the SAM CLI, such as `validate -t template.yaml`; what they wrote."""
    done = subprocess.run(
        [SAM / "bin" / "python", "-c", SEVERAL, *lines], cwd=cwd, env=environment(),
        capture_output=True, text=True, timeout=patience(600), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def for_this_machine(template: str) -> str:
    """A template with the Python and the processor that are here."""
    assert "Runtime: python3.13" in template
    assert "Architectures: [arm64]" in template
    there = template.replace("Runtime: python3.13", f"Runtime: python{PYTHON}")
    return there.replace("Architectures: [arm64]", f"Architectures: [{PROCESSOR}]")
