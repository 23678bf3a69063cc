"""What adapters say that they need, and what `synth.toml` adds to it, becomes part of the stack."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import App
from lambda_workflow.aws.synth.names import INBOX
from lambda_workflow.aws.synth.resources import (
    Permission,
    Policy,
    QueuePolicy,
    Role,
    Rule,
    Stack,
    Statement,
    Table,
)
from lambda_workflow.aws.synth.sam import template, to_sam
from lambda_workflow.aws.synth.terraform import configuration
from lambda_workflow.aws.synth.values import Builtin, Param, Ref, Split, Text, When
from tests.synth.apps import app as plain_app
from tests.synth.apps import functions, may, stack_of, statements
from tests.synth.needy.adapter import app, ask, buy, prices
from tests.synth.template_text import bare

ASK = "service-ask-function"
PAGE = "service-ask-page-function"
PAYING = {"about": "Who pays."}


def ids(stack: Stack) -> set[str]:
    return {part.id for part in (*stack.resources, *stack.parameters, *stack.outputs)}


def own(stack: Stack, function: str) -> list[Statement]:
    return [found for found in statements(stack, function) if found.sid.startswith("Own")]


def test_variables_name_parameters_the_place_and_resources_of_the_services_own() -> None:
    environment = functions(stack_of(app))[ASK].environment
    assert {k: v for k, v in environment.items() if k.startswith("ASK_")} == {
        "ASK_PAGE": Text((Ref("service-ask-page-url", "url"),)),
        "ASK_PARAMETER": Text(("/", Builtin("region"), "/asking")),
        "ASK_SECRETS": Text((Param("secret-arns"),)),
        "ASK_SENDER": Text((Param("stamp-sender"),)),
        "ASK_TABLE": Text((Ref("service-ask-table", "name"),)),
    }


def test_a_services_options_are_its_needs_and_over_them_those_of_the_file() -> None:
    services = {"memory": 1024, "batch": 3, "environment": {"LEVEL": "low", "ASK_SENDER": "all"}}
    mine = {"timeout": 40, "environment": {"LEVEL": "high"}}
    made = functions(stack_of(app, services=services, service={"ask": mine}))
    assert made[ASK].memory_mb == 256  # its needs are nearer to it than all services' options
    assert made[ASK].timeout_seconds.value == 40
    assert made[ASK].environment["LEVEL"] == "high"
    assert made[ASK].environment["ASK_SENDER"] == Text((Param("stamp-sender"),))
    assert made["service-prices-function"].memory_mb == 1024
    assert made["service-prices-function"].environment["LEVEL"] == "low"


def test_rights_of_the_file_are_added_and_tables_and_pages_overridden_name_by_name() -> None:
    right = {"actions": ["sns:Publish"], "resources": ["arn:aws:sns:eu-west-1:1:told"]}
    given = {"rights": [right], "table": {"sort": "n"}, "page": {"memory": 128, "concurrency": 5}}
    stack = stack_of(app, service={"ask": given})
    granted = {action for statement in own(stack, ASK) for action in statement.actions}
    assert granted >= {"sns:Publish", "ssm:GetParameter", "dynamodb:PutItem"}
    (table,) = (r for r in stack.resources if isinstance(r, Table) and r.id != "table")
    assert [key["AttributeName"] for key in table.definition["KeySchema"]] == ["id", "n"]
    page = functions(stack)[PAGE]
    assert (page.memory_mb, page.reserved, page.timeout_seconds.value) == (128, 5, 30)
    properties = bare(template(stack))["Resources"]["ServiceAskPageFunction"]["Properties"]
    assert properties["ReservedConcurrentExecutions"] == 5


def test_an_adapter_without_a_file_may_have_all_of_it_by_the_options() -> None:
    given: dict[str, Any] = {
        "parameter": {"Payer": PAYING},
        "workflow": {
            "environment": {"PAYER": "${Payer}"},
            "rights": [{"actions": ["ses:SendEmail"], "resources": ["arn:aws:ses:x:1:i/${Payer}"]}],
        },
        "service": {"wash": {"later": True, "table": {"key": "id", "actions": ["dynamodb:GetItem"]},
                             "environment": {"SOAPS": "${Table.Name}"}}},
    }  # fmt: skip
    stack = stack_of(plain_app, **given)
    workflow = functions(stack)["workflow-function"]
    assert workflow.environment["PAYER"] == Text((Param("payer"),))
    assert may(stack, "workflow-function", "ses:SendEmail") == {"payer"}
    assert may(stack, "service-wash-function", "dynamodb:GetItem") == {
        "table",
        "service-wash-table",
    }
    assert "service-wash-queue" in may(stack, "service-wash-function", "sqs:SendMessage")
    assert "service-dry-queue" not in may(stack, "service-dry-function", "sqs:SendMessage")
    tree = template(stack)["Parameters"]["Payer"]
    assert tree == {"Type": "String", "Description": "Who pays."}


def test_removing_a_service_removes_all_that_it_needed() -> None:
    before = stack_of(app)
    without_ask = stack_of(App("needy", workflows=[], adapters=[prices]), callers=["shop"])
    without_prices = stack_of(App("needy", workflows=[buy], adapters=[ask]))
    assert {"secret-arns", "stamp-sender", "price-bus", "service-ask-table", "service-prices-rule",
            "service-ask-page-url", "service-prices-queue-policy", PAGE} <= ids(before)  # fmt: skip
    assert ids(before) - ids(without_prices) == {
        found for found in ids(before) if found.startswith("service-prices-")
    } | {"price-bus"}
    text = repr(without_ask)
    assert "service-ask" not in text
    assert "secret-arns" not in text
    assert "stamp-sender" not in text
    assert "price-bus" in text


def test_the_page_may_do_what_it_says_and_post_results() -> None:
    stack = stack_of(app)
    assert may(stack, PAGE, "sqs:SendMessage") == {INBOX}
    granted = {action for statement in statements(stack, PAGE) for action in statement.actions}
    assert granted == {"logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage",
                       "dynamodb:GetItem", "dynamodb:UpdateItem"}  # fmt: skip
    assert may(stack, PAGE, "dynamodb:GetItem") == {"service-ask-table"}
    quiet = stack_of(app, service={"ask": {"page": {"posts_results": False}}})
    assert may(quiet, PAGE, "sqs:SendMessage") == set()
    called = stack_of(app, callers=["shop"], kms=True)
    assert may(called, PAGE, "sqs:SendMessage") == {INBOX, "app-shop-queue-arn"}
    assert may(called, PAGE, "kms:Decrypt") == {"kms-key-arn"}


def test_a_page_that_posts_large_results_may_store_them_and_read_none() -> None:
    large = {"ask": {"page": {"large_results": True}}}
    page = functions(stack_of(app, service=large))[PAGE]
    assert page.environment["LAMBDA_WORKFLOW_TABLE"] == Ref("table", "name")
    (right,) = (s for s in statements(stack_of(app, service=large), PAGE) if s.sid == "Payloads")
    assert right.actions == ("dynamodb:PutItem",)
    own_keys = {"dynamodb:LeadingKeys": ["blob:service/ask/*"]}
    assert right.conditions["ForAllValues:StringLike"] == own_keys
    in_bucket = stack_of(app, service=large, bucket=True)
    assert functions(in_bucket)[PAGE].environment["LAMBDA_WORKFLOW_BUCKET"]
    assert may(in_bucket, PAGE, "s3:PutObject") == {"payload-bucket"}
    assert may(in_bucket, PAGE, "s3:GetObject") == may(in_bucket, PAGE, "dynamodb:PutItem") == set()


def test_a_page_is_open_by_its_url_and_by_nothing_else() -> None:
    stack = stack_of(app)
    given = [r for r in stack.resources if isinstance(r, Permission)]
    assert {permission.function for permission in given} == {PAGE}
    tree = bare(template(stack))["Resources"]
    by_action = {found["Properties"]["Action"]: found["Properties"] for found in tree.values()
                 if found["Type"] == "AWS::Lambda::Permission"}  # fmt: skip
    assert by_action["lambda:InvokeFunctionUrl"]["FunctionUrlAuthType"] == "NONE"
    assert by_action["lambda:InvokeFunction"]["InvokedViaFunctionUrl"] is True
    blocks = configuration(stack, "")["resource"]["aws_lambda_permission"]
    assert blocks["service_ask_page_permission"]["invoked_via_function_url"] is True
    assert blocks["service_ask_page_url_permission"]["function_url_auth_type"] == "NONE"


def test_only_its_rule_may_send_to_a_services_queue() -> None:
    stack = stack_of(app)
    allowed = [r for r in stack.resources if isinstance(r, QueuePolicy) and r.rule]
    assert {(p.queue, p.rule) for p in allowed} == {
        ("service-prices-queue", "service-prices-rule"),
        ("service-prices-dead-letters", "service-prices-rule"),
    }
    tree = bare(template(stack))["Resources"]["ServicePricesQueuePolicy"]["Properties"]
    _, statement = tree["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    rule = ("!", "GetAtt", "ServicePricesRule.Arn")
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}


def test_a_right_that_names_an_empty_parameter_is_not_there() -> None:
    stack = stack_of(app)
    (right,) = (s for s in own(stack, ASK) if "secretsmanager:GetSecretValue" in s.actions)
    assert right.targets == (Split(Param("secret-arns")),)
    assert right.unless_empty == (Param("secret-arns"),)
    made = template(stack)
    assert set(made["Conditions"]) == {"HasAlarmTopicArn", "HasSecretArns"}
    role = bare(made)["Resources"]["ServiceAskRole"]["Properties"]["Policies"][0]
    kinds = [s for s in role["PolicyDocument"]["Statement"] if isinstance(s, tuple)]
    ((_, name, (condition, statement, otherwise)),) = kinds
    assert (name, condition, otherwise) == ("If", "HasSecretArns", ("!", "Ref", "AWS::NoValue"))
    assert statement["Resource"] == ("!", "Split", [",", ("!", "Ref", "SecretArns")])


@pytest.mark.parametrize("is_said", [True, False])
def test_terraform_leaves_out_the_same_right(is_said: bool) -> None:
    blocks = configuration(stack_of(app), "")["resource"]["aws_iam_role_policy"]
    text = blocks["service_ask_role"]["policy"]
    begin, _, rest = text.partition('%{ if var.secret_arns != "" }')
    inner, _, end = rest.partition("%{ endif }")
    listed = inner.replace('${jsonencode(split(",", var.secret_arns))}', '["arn:a", "arn:b"]')
    policy = json.loads(begin + (listed if is_said else "") + end)
    found = [s["Resource"] for s in policy["Statement"] if "secretsmanager:GetSecretValue" in s["Action"]]  # fmt: skip  # noqa: E501
    assert found == ([["arn:a", "arn:b"]] if is_said else [])


def test_actions_that_have_no_resources_are_allowed_with_the_reason_beside_them() -> None:
    known = "Textract has no resources."
    right = {"actions": ["textract:DetectDocumentText"], "anything": known}
    stack = stack_of(plain_app, service={"wash": {"rights": [right]}})
    text = to_sam(stack)
    assert f"# {known}\n" in text
    after = text[text.index(known) + len(known) :].split()
    assert after[:2] == ["Resource:", "'*'"]
    rules = configuration(stack, "")["resource"]["aws_iam_role_policy"]["service_wash_role"]
    (statement,) = (s for s in json.loads(rules["policy"])["Statement"] if s["Sid"] == "Own1")
    assert statement["Resource"] == "*"


def test_events_whose_pattern_is_an_empty_parameter_have_no_rule() -> None:
    given: dict[str, Any] = {
        "parameter": {"Wanted": {"about": "A pattern.", "default": ""}},
        "service": {"prices": {"events": {"pattern": "${Wanted}"}}},
    }
    stack = stack_of(app, **given)
    (rule,) = (r for r in stack.resources if isinstance(r, Rule))
    assert rule.unless_empty == (Param("wanted"),)
    tree = bare(template(stack))
    assert tree["Resources"]["ServicePricesRule"]["Condition"] == "HasWanted"
    for name in ("ServicePricesQueuePolicy", "ServicePricesDeadLettersPolicy"):
        assert "Condition" not in tree["Resources"][name]  # TLS is asked for all the same
        _, allowed = tree["Resources"][name]["Properties"]["PolicyDocument"]["Statement"]
        assert allowed[1:2] == ("If",)
        assert allowed[2][0] == "HasWanted"
    blocks = configuration(stack, "")["resource"]
    count = '${var.wanted != "" ? 1 : 0}'
    assert blocks["aws_cloudwatch_event_rule"]["service_prices_rule"]["count"] == count
    assert blocks["aws_cloudwatch_event_target"]["service_prices_rule"]["count"] == count
    policy = blocks["aws_sqs_queue_policy"]["service_prices_queue_policy"]
    assert "aws_cloudwatch_event_rule.service_prices_rule[0].arn" in policy["policy"]


@pytest.mark.parametrize(
    ("own_parameter", "pattern"),
    [
        ({"pattern": "^[a-z]+$"}, "^[a-z]+$"),
        ({"pattern": "^[a-z]+$", "default": ""}, "^(([a-z]+))?$"),
        ({"pattern": "^[a-z]*$", "default": ""}, "^[a-z]*$"),
        ({"pattern": "^a|b$", "list": True}, "^(a|b)(,(a|b))*$"),
        ({"pattern": "^a$", "list": True, "default": ""}, "^((a)(,(a))*)?$"),
    ],
)
def test_a_pattern_is_that_of_each_item_and_allows_the_empty_default(
    own_parameter: dict[str, Any], pattern: str
) -> None:
    given = {"Payer": {**PAYING, **own_parameter}}
    stack = stack_of(plain_app, parameter=given, services={"environment": {"PAYER": "${Payer}"}})
    (found,) = (p for p in stack.parameters if p.id == "payer")
    assert found.pattern == pattern


def test_a_resource_that_hangs_on_a_parameter_takes_no_other_along() -> None:
    resources = ["arn:aws:s3:::a/*", "arn:aws:s3:::${Second}/*", "${Third}"]
    given: dict[str, Any] = {
        "parameter": {"Second": {**PAYING, "default": ""}, "Third": PAYING},
        "workflow": {"rights": [{"actions": ["s3:GetObject"], "resources": resources}]},
    }
    rights = own(stack_of(plain_app, **given), "workflow-function")
    assert [(r.sid, r.unless_empty) for r in rights] == [("Own1", ()), ("Own2", (Param("second"),))]
    assert rights[0].targets == (Text(("arn:aws:s3:::a/*",)), Text((Param("third"),)))


def test_needs_may_be_settled_by_the_options() -> None:
    stack = stack_of(app, parameter={"StampSender": {"default": "ada"}})
    assert template(stack)["Parameters"]["StampSender"] == {
        "Type": "String",
        "Description": "Who is said to have asked.",
        "Default": "ada",
        "AllowedPattern": "^[a-z]+$",
    }


def test_the_starters_policy_reads_histories_and_writes_payloads_alone() -> None:
    (policy,) = (r for r in stack_of(starters=True).resources if isinstance(r, Policy))
    by_action = {
        (action, repr(target)): statement.conditions
        for statement in policy.statements
        for action in statement.actions
        for target in statement.targets
    }
    written = [condition for (action, _), condition in by_action.items() if "PutItem" in action]
    assert [condition["ForAllValues:StringLike"] for condition in written] == [
        {"dynamodb:LeadingKeys": ["blob:client/*"]}
    ]
    (with_bucket,) = (r for r in stack_of(starters=True, bucket=True, kms=True).resources
                      if isinstance(r, Policy))  # fmt: skip
    granted = {action for statement in with_bucket.statements for action in statement.actions}
    assert granted == {"sqs:SendMessage", "dynamodb:GetItem", "dynamodb:Query", "s3:GetObject",
                       "s3:PutObject", "kms:Decrypt", "kms:GenerateDataKey"}  # fmt: skip
    assert not [r for r in stack_of().resources if isinstance(r, Policy)]


def test_conditional_statements_come_after_one_that_is_always_there() -> None:
    """Which is what the commas of Terraform's JSON rest on."""
    from lambda_workflow.aws.synth.policies import policy

    for role in stack_of(app).resources:
        if isinstance(role, Role):
            assert not isinstance(policy(role.statements)["Statement"][0], When)


def test_a_needs_file_is_read_beside_the_module_of_the_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "elsewhere_served"
    home.mkdir()
    (home / "__init__.py").write_text(
        "from lambda_workflow import Service, serve\n"
        "@serve(Service('sing', str, str))\n"
        "async def sing(song: str) -> str:\n    return song\n"
    )
    (home / "needs.toml").write_text('[service.sing.environment]\nSING_KEY = "C"\n')
    monkeypatch.syspath_prepend(tmp_path)
    sing = __import__("elsewhere_served").sing
    stack = stack_of(App("choir", workflows=[], adapters=[sing]), callers=["shop"])
    assert functions(stack)["service-sing-function"].environment["SING_KEY"] == "C"


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
@pytest.mark.parametrize("arns", ["", "arn:a,arn:b"])
def test_terraform_itself_makes_a_policy_of_the_text(tmp_path: Path, arns: str) -> None:
    tree = configuration(stack_of(app), "")
    text = tree["resource"]["aws_iam_role_policy"]["service_ask_role"]["policy"]
    text = re.sub(r"\$\{(aws|data)[^}]*\}", "there", text)  # what only the provider knows
    variable = {"secret_arns": tree["variable"]["secret_arns"]}
    outputs = {"policy": {"value": text}}
    made = {"variable": variable, "output": outputs}
    (tmp_path / "main.tf.json").write_text(json.dumps(made), encoding="utf-8")
    chosen = arns.replace("arn:", "arn:aws:secretsmanager:")
    done = subprocess.run(
        ["terraform", "apply", "-auto-approve", "-no-color", f"-var=secret_arns={chosen}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    state = json.loads((tmp_path / "terraform.tfstate").read_text(encoding="utf-8"))
    policy = json.loads(state["outputs"]["policy"]["value"])
    found = [s["Resource"] for s in policy["Statement"] if "secretsmanager:GetSecretValue" in s["Action"]]  # fmt: skip  # noqa: E501
    assert found == ([chosen.split(",")] if arns else [])
