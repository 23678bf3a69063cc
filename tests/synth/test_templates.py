"""The committed templates are what the examples' code gives, and linters find nothing in them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import App
from lambda_workflow.aws.dynamodb import table_definition
from lambda_workflow.aws.synth.names import EXPIRY
from lambda_workflow.aws.synth.options import read_options
from lambda_workflow.aws.synth.plan import plan
from lambda_workflow.aws.synth.resources import Function
from lambda_workflow.aws.synth.sam import template, to_sam
from lambda_workflow.aws.synth.template import Format, synthesise
from lambda_workflow.aws.synth.terraform import configuration, to_terraform
from lambda_workflow.cli.loading import load_app
from lambda_workflow.runtime.schedule import Schedule
from tests.synth.apps import EVERYTHING, app, served, stack_of, timed
from tests.synth.needy.adapter import app as needy
from tests.synth.template_text import bare, read

ROOT = Path(__file__).parents[2]
FORMATS: dict[str, Format] = {"template.yaml": "sam", "main.tf.json": "terraform"}
FILES = [
    file for folder in sorted((ROOT / "infra").iterdir()) if folder.is_dir()
    for file in sorted(folder.iterdir()) if file.name in FORMATS
]  # fmt: skip
TEMPLATES = [file for file in FILES if file.suffix == ".yaml"]
OPTIONAL = {
    "parameter": {"Wanted": {"about": "Events that are waited for.", "default": ""}},
    "service": {"prices": {"events": {"pattern": "${Wanted}"}}},
}
APPS = [
    (app, {}),
    (app, {**EVERYTHING, "starters": True}),
    (timed, {}),
    (served, {"callers": ["shop"], "kms": True}),
    (needy, {}),
    (needy, {**OPTIONAL, "kms": True, "deduplicate": True, "starters": True}),
]
STACKS = pytest.mark.parametrize(("chosen", "given"), APPS)


def address_of(file: Path) -> str:
    return f"examples.{file.parent.name}.app:app"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_the_committed_output_is_what_the_code_gives(file: Path) -> None:
    options = read_options(file.parent / "synth.toml")
    made = synthesise(
        load_app(address_of(file)), address_of(file), options, format=FORMATS[file.name]
    )
    command = f"lambda-workflow synth {address_of(file)} --format {FORMATS[file.name]}"
    assert made == file.read_text(encoding="utf-8"), f"run: {command} --out {file}"


def test_examples_with_templates_are_explained() -> None:
    page = (ROOT / "infra" / "README.md").read_text(encoding="utf-8")
    for file in FILES:
        assert f"{file.parent.name}/" in page


@pytest.mark.thorough  # `make lint` looks at those that are committed
def test_cfn_lint_finds_nothing(tmp_path: Path) -> None:
    files = list(TEMPLATES)
    for number, (chosen, given) in enumerate(APPS[1:]):
        made = tmp_path / f"{number}.yaml"
        made.write_text(synth(chosen, given), encoding="utf-8")
        files.append(made)
    done = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", *files], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("", 0)


def synth(chosen: App, given: dict[str, Any]) -> str:
    from lambda_workflow.aws.synth.sam import to_sam

    return to_sam(stack_of(chosen, **given))


@STACKS
def test_the_text_reads_back_as_the_tree(chosen: App, given: dict[str, Any]) -> None:
    assert read(synth(chosen, given)) == bare(template(stack_of(chosen, **given)))


def all_texts() -> str:
    """Every App's template and configuration."""
    return "\n".join(
        synth(chosen, given) + to_terraform(stack_of(chosen, **given), "") for chosen, given in APPS
    )


SEED = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"  # not the one of this process


def test_another_process_writes_the_same_text() -> None:
    code = "from tests.synth.test_templates import all_texts\nprint(all_texts())"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
        encoding="utf-8", env={**os.environ, "PYTHONHASHSEED": SEED},
    )  # fmt: skip
    assert other.stdout == all_texts() + "\n"


def tags(tree: Any) -> list[tuple[str, str]]:
    """Every reference of a template that was read."""
    if isinstance(tree, tuple):
        _, name, value = tree
        if isinstance(value, str):
            if name == "Sub":
                return [("Sub", found) for found in re.findall(r"\$\{([^!}]+)\}", value)]
            return [(name, value)]
        found = tags(value)
        if name == "Sub":
            local = value[1]
            text = re.findall(r"\$\{([^!}]+)\}", value[0])
            found += [("Sub", name) for name in text if name not in local]
        return found
    if isinstance(tree, dict):
        return [tag for value in tree.values() for tag in tags(value)]
    return [tag for value in tree for tag in tags(value)] if isinstance(tree, list) else []


@STACKS
def test_every_reference_of_a_template_leads_somewhere(chosen: App, given: dict[str, Any]) -> None:
    tree = read(synth(chosen, given))
    known = {*tree["Parameters"], *tree["Resources"]}
    assert len(tags(tree)) > 20
    for name, target in tags(tree):
        assert name in {"Ref", "GetAtt", "Sub"}
        assert target.startswith("AWS::") or target.partition(".")[0] in known, target


@STACKS
def test_both_formats_have_the_same_resources(chosen: App, given: dict[str, Any]) -> None:
    stack = stack_of(chosen, **given)
    tree = configuration(stack, "")
    local = {name for found in tree["resource"].values() for name in found}
    assert local == {resource.id.replace("-", "_") for resource in stack.resources}
    assert len(template(stack)["Resources"]) == len(stack.resources)


@STACKS
def test_every_reference_of_a_configuration_leads_somewhere(
    chosen: App, given: dict[str, Any]
) -> None:
    tree = configuration(stack_of(chosen, **given), "")
    text = json.dumps(tree["resource"]) + json.dumps(tree["output"])
    found = re.findall(r"(?<![\w.:/-])(aws_\w+)\.(\w+)(?:\.\w+)?(?=[},\")\s])", text)
    assert len(found) > 20
    for kind, name in found:
        if kind in tree["data"]:
            continue
        assert name in tree["resource"][kind], f"{kind}.{name}"
    for name in re.findall(r"\bvar\.(\w+)", text):
        assert name in tree["variable"]
    for kind, name in re.findall(r"\bdata\.(\w+)\.(\w+)", text):
        assert name in tree["data"][kind]


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
@STACKS
def test_terraform_can_read_the_configuration(
    chosen: App, given: dict[str, Any], tmp_path: Path
) -> None:
    """As far as it goes without the provider: structure, expressions, names given twice."""
    tree = configuration(stack_of(chosen, **given), "Made by a test.")
    (tmp_path / "main.tf.json").write_text(json.dumps(tree), encoding="utf-8")
    done = subprocess.run(
        ["terraform", "get", "-no-color"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Error" not in done.stderr
    assert done.returncode == 0


def test_the_table_is_the_one_that_the_store_reads() -> None:
    tree = template(stack_of())["Resources"]["Table"].value["Properties"]
    made = table_definition("")
    assert {key: tree[key] for key in made if key != "TableName"} == {
        key: value for key, value in made.items() if key != "TableName"
    }
    (index,) = made["GlobalSecondaryIndexes"]
    assert EXPIRY in index["Projection"]["NonKeyAttributes"]


def test_the_apps_schedules_are_a_resource_that_changes_with_them() -> None:
    weekly = timed.schedules["weekly"]

    def schedules(*given: Schedule[Any]) -> Any:
        app = App("timed", workflows=[weekly.workflow], schedules=given)
        return read(to_sam(stack_of(app)))["Resources"]["Schedules"]["Properties"]["Digests"]

    daily = Schedule("weekly", weekly.workflow, "sheets", every=timedelta(days=1))
    assert schedules(weekly) == schedules(weekly) != schedules(daily)
    day = timedelta(days=1)
    options: list[dict[str, Any]] = [{"jitter": day}, {"catch_up": day}, {"pause_on_failure": True}]
    for option in options:
        other = Schedule("weekly", weekly.workflow, "sheets", every=timedelta(days=7), **option)
        assert schedules(weekly) != schedules(other)
    assert list(schedules(weekly)) == ["weekly"]
    assert "Schedules" not in template(stack_of())["Resources"]
    configured = json.loads(to_terraform(stack_of(timed), ""))["resource"]
    invoked = configured["aws_lambda_invocation"]["schedules"]
    assert json.loads(invoked["input"]) == {"apply_schedules": schedules(weekly)}
    (needed,) = invoked["depends_on"]
    kind, _, name = needed.partition(".")
    assert name in configured[kind]


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.parent.name)
def test_the_handlers_of_the_examples_are_there(file: Path) -> None:
    app = load_app(address_of(file))
    stack = plan(app, address_of(file), read_options(file.parent / "synth.toml"))
    handlers = {found.handler for found in stack.resources if isinstance(found, Function)}
    package = f"examples.{file.parent.name}"
    modules = ["lambda_function", *(["lambda_services"] if app.adapters else [])]
    assert handlers == {f"{package}.{module}.handler" for module in modules}


@STACKS
def test_no_function_is_stopped_for_being_part_of_a_loop(
    chosen: App, given: dict[str, Any]
) -> None:
    stack = stack_of(chosen, **given)
    made = [
        r for r in bare(template(stack))["Resources"].values() if r["Type"].endswith("Function")
    ]
    assert made
    assert {function["Properties"]["RecursiveLoop"] for function in made} == {"Allow"}
    allowed = configuration(stack, "")["resource"]["aws_lambda_function_recursion_config"]
    assert {found["recursive_loop"] for found in allowed.values()} == {"Allow"}
    assert len(allowed) == len(made)
