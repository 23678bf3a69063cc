"""Runs the peers' benchmarks, each in an environment of its own.

    python benchmarks/peers/run.py [--install] [dbos] [temporal] [durable]

Without `--install` the interpreter that runs this is used, and a peer that it does not have is
reported as null. With it, each peer is installed into a temporary folder first (needs a package
index). Every peer prints one JSON line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
# Peer: the module that shows whether it is there, and what to install.
PEERS: Final = {
    "dbos": ("dbos", ["dbos"]),
    "temporal": ("temporalio", ["temporalio"]),
    "durable": (
        "aws_durable_execution_sdk_python_testing",
        ["aws-durable-execution-sdk-python", "aws-durable-execution-sdk-python-testing"],
    ),
}


def main() -> None:
    """Run those that were named, or all."""
    chosen = [name for name in PEERS if name in sys.argv] or list(PEERS)
    for name in chosen:
        module, packages = PEERS[name]
        with tempfile.TemporaryDirectory() as folder:
            python = sys.executable
            if "--install" in sys.argv:
                venv.create(folder, with_pip=True)
                python = str(Path(folder) / "bin" / "python")
                command = [python, "-m", "pip", "install", "--quiet", *packages]
                subprocess.run(command, check=True, stdout=sys.stderr)
            probe = [python, "-c", f"import {module}"]
            if subprocess.run(probe, check=False, capture_output=True).returncode:
                print(json.dumps({name: None, "how_to_install": "--install"}), flush=True)
                continue
            subprocess.run([python, str(HERE / f"on_{name}.py")], check=True)


if __name__ == "__main__":
    main()
