"""Needs that cannot be met are refused, and the message says what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import App, ConfigurationError, Service, serve
from tests.synth.apps import app, fold, stack_of

RIGHT = {"actions": ["ses:SendEmail"], "resources": ["arn:aws:ses:eu-west-1:1:identity/a"]}
PAGE = {"handler": "tests.synth.needy.page.handler"}
TABLE = {"key": "id", "actions": ["dynamodb:GetItem"]}


def right(**changed: Any) -> dict[str, Any]:
    return {"service": {"wash": {"rights": [{**RIGHT, **changed}]}}}


def wash(**given: Any) -> dict[str, Any]:
    return {"service": {"wash": given}}


def parameter(name: str = "Payer", text: str = "${Payer}", **given: Any) -> dict[str, Any]:
    """A parameter that a variable names."""
    return {"parameter": {name: given}, **wash(environment={"PAYER": text})}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (right(actions=["*"]), "service.wash: rights: actions: '*': name each action"),
        (right(actions=["ses:*"]), "'ses:*': name each action that is called"),
        (right(actions=["SendEmail"]), 'write service:Action, such as "ses:SendEmail"'),
        (right(actions="ses:SendEmail"), "it must be a list of actions"),
        (right(resources=["*"]), "'*' is everything: write the ARN of what is used"),
        (right(resources=["arn:aws:s3:::*"]), "'arn:aws:s3:::*' is everything"),
        (right(resources=["arn:aws:*:::x"]), "'arn:aws:*:::x' is everything"),
        (right(resources=["my-bucket"]), "'my-bucket' is no ARN: it begins with arn:"),
        (right(resources=[]), "it must be a list of ARNs"),
        (right(conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "a"}}),
         'write Null = { "dynamodb:LeadingKeys" = "false" } beside it'),
        (right(conditions={"StringEquals": "a"}), "write OPERATOR = { KEY = TEXT }"),
        (right(conditions={"Bool": {"aws:SecureTransport": True}}), "write OPERATOR"),
        (right(effect="Deny"), "effect is no option; those there are: actions, resources"),
        (wash(rights=[{"actions": ["ses:SendEmail"]}]), "has no actions, or no resources"),
        ({"workflow": {"rights": [{"actions": ["ses:SendEmail"]}]}}, "has no actions, or no reso"),
        (right(anything="none is known"), "has resources, and anything: write one of them"),
        (wash(rights=RIGHT), "write it as [[…]]"),
        (wash(environment={"AWS_REGION": "x"}), "AWS_REGION is set by Lambda or by this package"),
        (wash(environment={"LAMBDA_WORKFLOW_TABLE": "x"}), "give the variable another name"),
        (wash(environment={"MY-KEY": "x"}), "'MY-KEY' is no name of a variable"),
        (wash(environment={"LEVEL": 3}), 'LEVEL is 3: write "3"'),
        (wash(environment={"A1": "${Nobody}"}), "there is no 'Nobody'; those there are: Queue.Arn"),
        (wash(environment={"A1": "${Table.Name}"}), "there is no 'Table.Name'"),
        (wash(environment={"A1": "${Queue.Arn"}), "has a ${ without an end"),
        (wash(environment={"A1": "${AWS::StackName}"}), "there is no 'AWS::StackName'"),
        ({"workflow": {"environment": {"A1": "${Queue.Arn}"}}}, "[workflow]: '${Queue.Arn}'"),
        ({"parameter": {"Payer": {"about": "x"}}}, "nothing names ${Payer}: take it out"),
        (parameter(), "parameter 'Payer': say by about"),
        (parameter("payer", "${payer}", about="x"), "write its name like EmailSender"),
        (parameter("Name", "${Name}", about="x"), "each stack has one of that name"),
        (parameter("TABLE", "${TABLE}", about="x"), "would have one name in the template"),
        (parameter(about="x", pattern="("), "its pattern is none"),
        (parameter(about="x", pattern="^a$", default="b"), "its default 'b' is not like ^a$"),
        (parameter(about="x", default=3), "default is 3: it must be a text"),
        (parameter(about="x", list=True, text="to: ${Payer}"), "is a list, which stands alone"),
        (wash(table={"actions": ["dynamodb:GetItem"]}), "its table has no key"),
        (wash(table={**TABLE, "key": "x"}), "'x' is when an item expires"),
        (wash(table={**TABLE, "sort": "id"}), "they must differ"),
        (wash(table={"key": "id"}), "nobody uses its table"),
        (wash(table={**TABLE, "actions": ["s3:GetObject"]}), "outside dynamodb: belong into"),
        (wash(page={}), "its page has no handler"),
        (wash(page={"handler": "tests.synth.apps.nothing"}), "the service.wash.page function"),
        (wash(page={"handler": "tests.synth.apps.nothing"}), "def nothing(event, context):"),
        (wash(page={**PAGE, "table_actions": ["dynamodb:GetItem"]}), "that it does not have"),
        (wash(page={**PAGE, "large_results": True}), "posts none: write posts_results = true"),
        (wash(page={**PAGE, "timeout": 901}), "[service.wash.page] timeout is 901: it must be 1"),
        (wash(page={**PAGE, "environment": {"A1": "${Page.Url}"}}), "there is no 'Page.Url'"),
        (wash(events={"bus": "b"}), "its events have no pattern"),
        (wash(events={"pattern": "{"}), "[service.wash.events]: pattern is no JSON"),
        (wash(events={"pattern": "[]"}), 'it must be a JSON object, such as {"source"'),
        ({"services": {"table": TABLE}}, "services: table is no option"),
        ({"workflow": {"later": True}}, "workflow: later is no option"),
        ({"parameter": {"Payer": 3}}, "write [parameter.NAME]"),
    ],
)  # fmt: skip
def test_it_is_refused_with_what_to_change(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        stack_of(app, **given)
    assert words in str(refused.value)


def test_a_policy_for_starters_needs_something_to_start() -> None:
    alone = App("machines", workflows=[], adapters=list(app.adapters.values()))
    with pytest.raises(ConfigurationError, match="has no workflows to start"):
        stack_of(alone, callers=["shop"], starters=True)


def test_a_page_with_large_results_needs_a_place_for_them() -> None:
    alone = App("machines", workflows=[], adapters=list(app.adapters.values()))
    page = {**PAGE, "posts_results": True, "large_results": True}
    with pytest.raises(ConfigurationError, match="write bucket = true into the options"):
        stack_of(alone, callers=["shop"], service={"wash": {"page": page}})


class Home:
    """Adapters in packages of their own, each with its needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def adapter(self, name: str, needs: str) -> Any:
        package = self.folder / f"needing_{name}"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "needs.toml").write_text(needs)

        @serve(Service(name, str, str))
        async def adapter(shirt: str) -> str:
            return shirt

        adapter.function.__module__ = f"needing_{name}"
        __import__(f"needing_{name}")
        return adapter


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.syspath_prepend(tmp_path)
    return Home(tmp_path)


@pytest.mark.parametrize(
    ("name", "needs", "words"),
    [
        ("n1", "bucket = true", "needing_n1/needs.toml: bucket is not for a service to say"),
        ("n2", "service = 3", "write [service.NAME]"),
        ("n3", "[service.n3]\nmemry = 3", "needing_n3/needs.toml: service.n3: memry is no option"),
        ("n4", "[service.ironing]\nmemory = 256", "name the service as its contract does"),
        ("n10", "[service.n10]\nmemory = 256\n[service.n01]\nlater = true", "says what n01 needs"),
        ("n5", "[parameter.Payer]\nabout = 'x'", "no service names ${Payer}: take [param"),
        ("n6", "[service.n6.environment]\nA1 = '${Payer}'", "write [parameter.Payer]"),
        ("n7", "[service.n7]\nmemory = 64", "[service.n7] memory is 64: it must be 128 to 10240"),
        ("n8", "[service", "needs.toml is not TOML"),
        ("n9", "[service.n9]\ntimeout = 901", "[service.n9] timeout is 901 s: Lambda has"),
    ],
)  # fmt: skip
def test_a_needs_file_is_refused_with_its_name(
    home: Home, name: str, needs: str, words: str
) -> None:
    served = App("laundry", workflows=[fold], adapters=[home.adapter(name, needs)])
    with pytest.raises(ConfigurationError) as refused:
        stack_of(served)
    assert words in str(refused.value)


def declared(name: str, about: str) -> str:
    return (
        f"[parameter.Payer]\nabout = '{about}'\n"
        f"[service.{name}.environment]\n{name.upper()}_PAYER = '${{Payer}}'\n"
    )


def test_one_parameter_of_two_services_must_mean_one_thing(home: Home) -> None:
    adapters = [home.adapter(n, declared(n, about)) for n, about in (("c1", "A"), ("c2", "B"))]
    served = App("laundry", workflows=[fold], adapters=adapters)
    with pytest.raises(ConfigurationError) as refused:
        stack_of(served)
    assert "mean different things by the parameter Payer" in str(refused.value)
    assert "settle it by [parameter.Payer] in the options" in str(refused.value)
    settled = stack_of(served, parameter={"Payer": {"about": "Both."}})
    assert [p.about for p in settled.parameters if p.id == "payer"] == ["Both."]


def test_two_services_may_share_a_parameter(home: Home) -> None:
    adapters = [home.adapter(n, declared(n, "Who pays.")) for n in ("d1", "d2")]
    stack = stack_of(App("laundry", workflows=[fold], adapters=adapters))
    assert [p.about for p in stack.parameters if p.id == "payer"] == ["Who pays."]
