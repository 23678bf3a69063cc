"""`lambda-workflow init`: the project that it makes is sound at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lambda_workflow.cli.init import FILES
from tests.cli.command import Done, call
from tests.patience import patience

ROOT = Path(__file__).parents[2]


MAKE = ("env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make")  # another make runs the tests


def run(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=cwd, capture_output=True, text=True, check=False,
        timeout=patience(120), encoding="utf-8", env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def init(cwd: Path, name: str) -> Done:
    return call(cwd, "init", name)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects")
    done = run(folder, "lambda_workflow.cli", "init", "tea-shop")
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "tea-shop"


def test_its_own_tests_pass(project: Path) -> None:
    done = run(project, "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_its_template_notices_a_change(project: Path, tmp_path: Path) -> None:
    assert init(tmp_path, "cafe").returncode == 0
    services = tmp_path / "cafe" / "synth.toml"
    services.write_text(services.read_text() + "\n[services]\ntimeout = 99\n")
    done = run(
        tmp_path / "cafe", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_template.py"
    )
    assert done.returncode == 1
    assert "+      Timeout: 99" in done.stdout


def test_its_example_runs_and_leaves_no_file_beside_the_code(project: Path) -> None:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        [*MAKE, "run"], cwd=project, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "500")
    assert not [*project.glob("src/*.db*")], "it would be deployed with the code"


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        ((), "--resolve-s3"),
        (("PARAMETERS=Sender=a@b.de Zone=x",), "--parameter-overrides Sender=a@b.de Zone=x"),
    ],
)
def test_its_deployment_takes_parameters(project: Path, words: tuple[str, ...], ends: str) -> None:
    done = subprocess.run(
        [*MAKE, "--dry-run", "deploy", *words], cwd=project, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    said = done.stdout.replace("\\\n", " ").splitlines()[-1]
    assert said.startswith("sam deploy --stack-name tea-shop")
    assert said.split()[-len(ends.split()) :] == ends.split()


def test_linters_find_nothing(project: Path) -> None:
    assert run(project, "ruff", "check", "--isolated", "src", "tests").stdout.startswith("All")
    assert run(project, "ruff", "format", "--isolated", "--check", ".").returncode == 0
    checked = run(project / "src", "mypy", "--strict", "--cache-dir", os.devnull, "tea_shop")
    assert checked.returncode == 0, checked.stdout
    lint = [Path(sys.executable).parent / "cfn-lint", project / "template.yaml"]
    linted = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (linted.stdout, linted.returncode) == ("", 0)


def test_nothing_is_left_to_fill_in(project: Path) -> None:
    for target in FILES:
        text = (project / target.replace("PACKAGE", "tea_shop")).read_text(encoding="utf-8")
        assert "{{" not in text, target
        assert text.endswith("\n"), target


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("json", "there is a Python module 'json' already"),
        ("1st", "begin with a letter"),
        ("class", "no name for a Python package"),
        ("a b", "app"),
        ("a" * 60, "write a shorter name"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str, told: str) -> None:
    done = init(tmp_path, name)
    assert done.returncode == 2
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    done = init(tmp_path, "shop")
    assert done.returncode == 2
    assert "shop is there already" in done.stderr
    assert list((tmp_path / "shop").iterdir()) == []
