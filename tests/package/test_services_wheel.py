"""The services' wheel: all that their stacks are made from; its contracts need no botocore."""

from __future__ import annotations

import os
import subprocess
import sys
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
HOME = ROOT / "services" / "lambda_workflow_services"
NAMES = sorted(folder.name for folder in HOME.iterdir() if (folder / "needs.toml").exists())


def run(*command: str | Path, **environ: str) -> str:
    """What a command prints, in a folder that has nothing of the clone."""
    done = subprocess.run(
        [sys.executable, *command], cwd=os.sep, env={**os.environ, **environ},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    for source in (ROOT, ROOT / "services"):
        run("-m", "build", "--no-isolation", "--wheel", "--outdir", folder, source)
    return folder


@pytest.fixture(scope="module")
def site(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both wheels as pip installs them; what they depend on is this environment's own."""
    folder = tmp_path_factory.mktemp("site")
    options = ("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
    where = ("--find-links", built, "--target", folder)
    distributions = ("lambda-workflow-services", "lambda-workflow")
    run("-m", "pip", "install", *options, *where, *distributions)
    return folder


def opened(built: Path) -> tuple[set[str], Message]:
    """The names in the archive, and its metadata."""
    (wheel,) = built.glob("lambda_workflow_services-*.whl")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (path,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        return names, Parser().parsestr(archive.read(path).decode())


def test_the_wheel_has_each_package_whole_and_nothing_else(built: Path) -> None:
    names, _ = opened(built)
    files = {
        path.relative_to(HOME.parent).as_posix()
        for path in HOME.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    own = {name for name in names if ".dist-info/" not in name}
    assert own == files
    assert {f"lambda_workflow_services/{name}/needs.toml" for name in NAMES} <= own
    assert {"lambda_workflow_services/py.typed"} <= own
    assert {"lambda_workflow_services/approval/style.css"} <= own
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_metadata_says_what_each_extra_is_for(built: Path) -> None:
    _, metadata = opened(built)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra", [])) == {"aws", "http"}
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert needed == ["lambda-workflow<0.2,>=0.1.0"]


def test_contracts_are_imported_where_there_is_no_botocore(site: Path) -> None:
    modules = ", ".join(f"lambda_workflow_services.{name} as {name}" for name in NAMES)
    code = f"import sys; sys.modules['botocore'] = sys.modules['httpx'] = None; import {modules}"
    printed = run("-c", f"{code}; print({NAMES[0]}.__file__)", PYTHONPATH=str(site))
    assert printed.startswith(str(site))


def test_a_template_is_made_of_the_installed_wheel(site: Path) -> None:
    folder = ROOT / "infra" / "services" / "approval"
    made = run(
        "-m", "lambda_workflow.cli", "synth", "lambda_workflow_services.approval.app:app",
        "--options", folder / "synth.toml", PYTHONPATH=str(site),
    )  # fmt: skip
    assert made == (folder / "template.yaml").read_text(encoding="utf-8")
