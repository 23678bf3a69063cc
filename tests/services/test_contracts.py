"""What holds for all ready-made services: contracts are light, and each package has its parts."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from lambda_workflow import App, Service

ROOT = Path(__file__).parents[2]
HOME = ROOT / "services" / "lambda_workflow_services"
NAMES = sorted(folder.name for folder in HOME.iterdir() if (folder / "__init__.py").exists())
PARTS = {"README.md", "adapter.py", "app.py", "lambda_services.py", "needs.toml"}
HEAVY = {"botocore", "boto3", "httpx", "sqlite3", "lambda_workflow.aws", "lambda_workflow.local"}


def loaded_by(code: str) -> str:
    command = [sys.executable, "-c", f"{code}; import sys; print(*sorted(sys.modules))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_package_has_its_parts(name: str) -> None:
    missing = PARTS - {path.name for path in (HOME / name).iterdir()}
    assert not missing


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_imports_a_contract_without_what_does_the_work(name: str) -> None:
    loaded = set(loaded_by(f"import lambda_workflow_services.{name}").split())
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("name", NAMES)
def test_an_app_serves_what_the_contract_says(name: str) -> None:
    package = f"lambda_workflow_services.{name}"
    app = __import__(f"{package}.app", fromlist=["app"]).app
    contract = __import__(package, fromlist=["*"])
    offered = {found.name for found in vars(contract).values() if isinstance(found, Service)}
    assert isinstance(app, App)
    assert set(app.adapters) == offered
    needs = tomllib.loads((HOME / name / "needs.toml").read_text(encoding="utf-8"))
    assert set(needs.get("service", {})) <= offered


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_field_of_a_request_is_refused(name: str) -> None:
    contract = __import__(f"lambda_workflow_services.{name}", fromlist=["*"])
    offered = [found for found in vars(contract).values() if isinstance(found, Service)]
    for service in offered:
        request = service.request_codec.type
        with pytest.raises((TypeError, ValidationError), match="misspelt"):
            request(misspelt=1)


def test_the_index_names_every_service() -> None:
    index = (HOME.parent / "README.md").read_text(encoding="utf-8")
    assert [
        name for name in NAMES if f"lambda_workflow_services/{name}/README.md" not in index
    ] == []
