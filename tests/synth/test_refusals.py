"""What cannot work is refused, and the message says what to change."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import App, ConfigurationError, Service, serve
from lambda_workflow.aws.synth.options import Options, parse_options, read_options
from lambda_workflow.aws.synth.plan import plan
from lambda_workflow.aws.synth.values import Text
from tests.synth.apps import HANDLERS, app, fold, functions, launder, served, stack_of, wash

MANY_NAMES = [f"service-number-{number}" for number in range(30)]


def adapted(name: str, **contract: Any) -> Any:
    @serve(Service(name, str, str, **contract))
    async def adapter(shirt: str) -> str:
        return shirt

    return adapter


def app_of(*names: str, name: str = "laundry") -> App:
    return App(name, workflows=[fold], adapters=[adapted(service) for service in names])


QUICK = App("laundry", workflows=[fold], adapters=[adapted("quick", timeout=timedelta(seconds=30))])

MANY = app_of(*MANY_NAMES)

FORGOTTEN = App("forgot", workflows=[launder], adapters=[wash])


@pytest.mark.parametrize(
    ("chosen", "given", "words"),
    [
        (app, {"workflow": HANDLERS["services"]}, "handler, the handler of the services: it must"),
        (app, {"services": HANDLERS["workflow"]}, "the handler of the workflow: it must be"),
        (app, {"bucket": True, "shared_bucket": True}, "payloads lie in one of them"),
        (app, {"elsewhere": []}, 'or where another stack serves it, write elsewhere = ["iron"]'),
        (app, {"elsewhere": ["iron", "steam"]}, "elsewhere names 'steam', but no workflow may"),
        (app, {"elsewhere": ["iron", "wash"]}, "elsewhere names 'wash', but the App serves it"),
        (app, {"service": {"wosh": {}}}, "App 'laundry' serves no 'wosh'; it serves dry, wash"),
        (App("void", workflows=[]), {}, "neither workflows nor adapters"),
        (served, {}, 'callers = ["shop"] in synth.toml'),
        (served, {"callers": ["my shop"]}, "app name 'my shop': use 1 to 64 letters"),
        (app, {"apps": [""]}, "app name '': use 1 to 64 letters"),
        (app_of("s" * 60), {}, "leaves"),
        (app_of(name="a" * 60), {}, "write a shorter name"),
        (app, {"name": "a b"}, "the stack's name 'a b' must begin with a letter or digit"),
        (app_of("a-1", "a1"), {}, "would have one name in the template"),
        (app_of("x", "x-dead"), {}, "rename one of the services"),
        (app_of(*(f"s{n}" for n in range(60))), {}, "split the App"),
        (QUICK, {"service": {"quick": {"timeout": 60}}}, "at most 30 s in [service.quick] timeout"),
        (app, {"workflow": {"timeout": 901}}, "[workflow] timeout is 901 s: Lambda has 1 to 900"),
        (app, {"workflow": {"batch": 11}}, "[workflow] batch is 11: it must be 1 to 10"),
        (app, {"services": {"concurrency": 1}}, "concurrency is 1: it must be 2 to 1000"),
        (app, {"services": {"timeout": 0}}, "timeout is 0: write 1 to 900, or leave it out"),
        (FORGOTTEN, {}, "the code of workflow 'launder' names service 'dry', which App 'forgot'"),
        (app, {"services": {"memory": 64}}, "memory is 64: it must be 128 to 10240"),
        (app, {"log_days": 31}, "CloudWatch Logs has 30 next to it"),
        (app, {"retention_days": 0}, "retention_days is 0: it must be 14 to 3650"),
        (app, {"turn_seconds_max": "soon"}, "it must be seconds above 0, or `none`"),
        (MANY, {}, "its 39 variables take about"),
        (MANY, {}, "30 services have a queue here, and about"),
        (app, {"retention_days": 13}, "a start that is moved back after its execution has expired"),
        (app, {"python": "2.7"}, "must be one of 3.11, 3.12, 3.13"),
        (app, {"workflow": {"handler": "tests.synth.apps.nothing"}}, "tests/synth/apps.py with"),
        (app, {"workflow": {"handler": "tests.synth.apps.no_handler"}}, "is a str, not a handler"),
        (app, {"services": {"handler": "nowhere.handler"}}, "name another by [services] handler"),
        (app, {"services": {"handler": "nowhere"}}, "'nowhere': write module.attribute, such as"),
    ],
)  # fmt: skip
def test_it_is_refused_with_what_to_change(chosen: App, given: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        stack_of(chosen, **given)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"memmory": 1}, "memmory is no option; those there are: name, code"),
        ({"workflow": {"memory": "512"}}, "workflow: memory is '512': it must be a whole number"),
        ({"bucket": 1}, "bucket is 1: it must be true or false"),
        ({"elsewhere": [1]}, "it must be a list of texts"),
        ({"workflow": 3}, "synth.toml: workflow is 3: make it a section"),
        ({"service": "wash"}, "write [service.NAME]"),
        ({"service": {"wash": {"memry": 1}}}, "service.wash: memry is no option"),
    ],
)  # fmt: skip
def test_options_that_mean_nothing_are_refused(given: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_options(given, "synth.toml")
    assert words in str(refused.value)


def test_a_file_that_is_not_there_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_options(tmp_path / "synth.toml")
    (tmp_path / "synth.toml").write_text("code = ")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        read_options(tmp_path / "synth.toml")


def test_the_handlers_to_write_are_shown_for_an_app_without() -> None:
    with pytest.raises(ConfigurationError) as refused:
        plan(app_of(), "shop.app:laundry", Options())
    assert "there is no shop.lambda_function.handler" in str(refused.value)
    assert "handler = lambda_handler(laundry)" in str(refused.value)


def test_a_handlers_own_trouble_is_not_taken_for_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_handlers.py").write_text("import a_library_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_there"):
        stack_of(app_of(), workflow={"handler": "broken_handlers.handler"})


def test_a_service_takes_what_all_services_have_but_for_its_own() -> None:
    given = {"services": {"memory": 256, "batch": 2}, "service": {"wash": {"memory": 1024}}}
    found = {id_: made.memory_mb for id_, made in functions(stack_of(**given)).items()}
    assert found["service-wash-function"] == 1024
    assert found["service-dry-function"] == 256
    assert found["workflow-function"] == 512


def test_the_longest_name_that_is_allowed_fits() -> None:
    stack = stack_of(app_of("s" * 40), name="n")
    name = next(p for p in stack.parameters if p.id == "name")
    limits = {"Function": 64, "Queue": 80, "ScheduleGroup": 64, "Table": 255}
    assert name.length_max > 0
    for resource in stack.resources:
        physical = getattr(resource, "name", None)
        if (limit := limits.get(type(resource).__name__)) and isinstance(physical, Text):
            suffix = sum(len(part) for part in physical.parts if isinstance(part, str))
            assert suffix + name.length_max <= limit, resource.id


def test_an_app_of_services_alone_is_deployed_for_its_callers() -> None:
    stack = stack_of(served, callers=["shop"])
    assert set(functions(stack)) == {"service-wash-function", "service-dry-function"}
    assert "app-shop-queue-arn" in {parameter.id for parameter in stack.parameters}
    assert not [r for r in stack.resources if r.id in ("table", "workflow-queue")]
