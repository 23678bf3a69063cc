"""The examples as `sam build` makes them, the way infra/README.md says, and where they run."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from tests.sam.cli import ROOT, for_this_machine, sam

# What is there in Lambda before a function's own code: its runtime client and AWS's SDK.
RUNTIME: Final = ("awslambdaric", "boto3")
COMPILE: Final = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash")


def build(example: str, base: Path, *, here: bool = True) -> Path:
    """The folder with an artefact for each function; made once for all processes of a test run.

    Args:
        here: for this machine's processor, and with bytecode; otherwise for the template's.
    """
    made = base / f"sam-{example}{'' if here else '-deployed'}"
    with (base / f"{made.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _build(example, base / f"{made.name}-work", here=here).rename(made)
    return made


def _build(example: str, work: Path, *, here: bool) -> Path:
    code = work / "build" / example
    _copy(f"examples/{example}", code)
    wheel = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(work)]
    subprocess.run([*wheel, str(ROOT)], check=True, capture_output=True)
    (found,) = work.glob("*.whl")
    (code / "requirements.txt").write_text(f"{found}\n")
    template = work / "infra" / example / "template.yaml"
    template.parent.mkdir(parents=True)
    text = for_this_machine((ROOT / "infra" / example / "template.yaml").read_text())
    if not here:
        text = text.replace("[x86_64]", "[arm64]")
    template.write_text(text)
    sam(f"build -t {template} --build-dir {work / 'made'}", cwd=work)
    if here:
        compile_all(work / "made")
    return work / "made"


def _copy(package: str, target: Path) -> None:
    """`cp --parents` of a package and of the modules above it."""
    ignored = shutil.ignore_patterns("__pycache__", "*.db*")
    shutil.copytree(ROOT / package, target / package, ignore=ignored)
    shutil.copy(ROOT / "examples" / "__init__.py", target / "examples" / "__init__.py")


def compile_all(made: Path) -> None:
    """What the last lines of the build in infra/README.md do."""
    for function in sorted(found for found in made.iterdir() if found.is_dir()):
        subprocess.run([sys.executable, *COMPILE, "."], cwd=function, check=True)


def runtime(folder: Path) -> Path:
    """A folder with what Lambda has and nothing else of this environment, by links."""
    folder.mkdir()
    waiting = list(RUNTIME)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        found = distribution(name)
        for top in {Path(str(file)).parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            (folder / top).symlink_to(Path(str(found.locate_file(top))))
        for text in found.requires or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                waiting.append(wanted.name)
    return folder
