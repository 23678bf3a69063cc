"""What `sam build` makes of the examples: small, nothing but what runs, and it runs.

Built for the Python of this environment and the processor of this machine, since it is to run here;
the last test builds for the templates' own processor.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from importlib.metadata import distributions
from pathlib import Path

import pytest

from examples.bank_transaction.app import app
from examples.bank_transaction.workflow import Receipt, Transfer, transfer
from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import PREFIX, read_config
from tests.aws.server.process import Server
from tests.sam.artefact import build, runtime
from tests.sam.cli import ROOT
from tests.sam.mapping import functions
from tests.synth.stack import create

pytestmark = [pytest.mark.sam, pytest.mark.thorough]

MEGABYTE = 1_000_000
SIZE_MAX = 20 * MEGABYTE  # of a function, unzipped
BROUGHT = {
    "annotated-types", "anyio", "idna", "lambda-workflow", "pydantic", "pydantic_core",
    "typing-inspection", "typing_extensions",
}  # fmt: skip
# What only a wheel's file tells about: neither is a distribution.
BESIDE = {"examples", "pytest_lambda_workflow.py", "requirements.txt", "__pycache__"}
EXAMPLES = sorted(path.parent.name for path in (ROOT / "infra").glob("*/template.yaml"))


def test_a_function_is_small(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    function = bank / "WorkflowFunction"
    compiled = size(function, "*.pyc")
    total = size(function, "*")
    with capsys.disabled():
        print(f" {total / MEGABYTE:.1f} MB, {compiled / MEGABYTE:.1f} of it bytecode ", end="")
    assert compiled < total <= SIZE_MAX


def size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())


def test_a_function_has_what_it_imports_and_no_tool(bank: Path) -> None:
    function = bank / "WorkflowFunction"
    found = {one.name for one in distributions(path=[str(function)])}
    assert found == BROUGHT
    tops = {path.name for path in function.iterdir() if not path.name.endswith(".dist-info")}
    assert {top.removesuffix(".py") for top in tops - BESIDE} == {
        name.replace("-", "_") for name in BROUGHT
    }


def test_all_modules_are_compiled_and_the_same_in_each_function(bank: Path) -> None:
    """The same bytes make the same archive, which `sam deploy` then uploads once."""
    folders = sorted(path for path in bank.iterdir() if path.is_dir())
    assert len(folders) == 4
    contents = [{path.relative_to(f): path.read_bytes() for path in f.rglob("*") if path.is_file()}
                for f in folders]  # fmt: skip
    assert all(content == contents[0] for content in contents)
    sources = {path for path in contents[0] if path.suffix == ".py"}
    compiled = {path for path in contents[0] if path.suffix == ".pyc"}
    assert {path.parent.parent / f"{path.name.split('.')[0]}.py" for path in compiled} == sources


async def test_the_built_functions_run_the_stack_of_the_built_template(
    bank: Path, aws: Aws, server: Server, tmp_path: Path
) -> None:
    deployed = await create(aws, (bank / "template.yaml").read_text())
    given = {"TABLE": deployed.outputs["TableName"]}
    given["QUEUE_URL"] = deployed.outputs["WorkflowQueueUrl"]
    client = client_for(app, read_config({PREFIX + name: value for name, value in given.items()}))
    order = Transfer(source="alice", target="bob", amount=Decimal("12.50"))
    handle = await client.start(transfer, order, execution_id="first")
    with functions(deployed, bank, runtime(tmp_path / "runtime"), server.environment) as lambdas:
        invocations = await lambdas.run_dry(aws)
    receipt = await handle.result(timedelta(0))
    assert receipt == Receipt(transaction="first/3", amount=order.amount)
    assert {name for name, count in invocations.items() if count} == set(deployed.environments)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_built_for_the_processor_of_its_template(example: str, base: Path) -> None:
    made = build(example, base, here=False)
    functions = [path for path in made.iterdir() if path.is_dir()]
    assert functions
    for function in functions:
        (compiled,) = function.glob("pydantic_core/*.so")
        assert "aarch64" in compiled.name
        assert size(function, "*") <= SIZE_MAX
