"""The wheel: the package and its pytest plugin, nothing of the tests, and it runs from anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with wheel and sdist; the wheel is made from the sdist, as a release's is."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_has_the_package_its_plugin_its_licence_and_its_types(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (path,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(path).decode())
        (path,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
        entries = archive.read(path).decode()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "lambda_workflow",
        "pytest_lambda_workflow.py",
    }
    assert "lambda_workflow/py.typed" in names
    assert any(name.endswith("/LICENSE") for name in names)
    assert "pytest_lambda_workflow = pytest_lambda_workflow" in entries
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == {"aws", "cli", "dev", "schedules"}
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(line.partition(">")[0].partition("<")[0] for line in needed) == [
        "anyio",
        "pydantic",
    ]


def test_the_sdist_has_what_its_tests_need(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        tops = {Path(name).parts[1] for name in archive.getnames() if len(Path(name).parts) > 1}
    assert {"lambda_workflow", "tests", "examples", "benchmarks", "docs", "Makefile"} <= tops


def test_the_demo_runs_from_an_installed_wheel_elsewhere(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    work = tmp_path / "work"
    work.mkdir()
    (work / "examples").symlink_to(ROOT / "examples")
    script = (
        "import sys, lambda_workflow; print(lambda_workflow.__file__, file=sys.stderr); "
        "from lambda_workflow.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [
            sys.executable, "-c", script, "run", "examples.bank_transaction.app:app", "transfer",
            "--input", "@examples/bank_transaction/order.json",
        ],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stderr
    assert '"amount": "250.00"' in done.stdout
