"""The functions' variables are those that `aws/config.py` reads, no more and no fewer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lambda_workflow.aws.config import (
    PREFIX,
    VARIABLES,
    app_variable_of,
    read_config,
    variable_of,
)
from lambda_workflow.aws.synth.values import Because, Builtin, Ref, UrlOfArn
from tests.synth.apps import EVERYTHING, app, functions, stack_of

PEERS = re.compile(rf"{PREFIX}(?:SERVICE|APP)_[A-Z0-9_]+_QUEUE_URL")


def environments(**given: Any) -> dict[str, dict[str, str]]:
    """Each function's variables, with a text for what is known once it is deployed."""
    made = {}
    for id_, function in functions(stack_of(**given)).items():
        made[id_] = {
            name: value if isinstance(value, str) else f"deployed:{value}"
            for name, value in function.environment.items()
        }
        kinds = str | Ref | UrlOfArn | Builtin | Because
        assert all(isinstance(value, kinds) for value in function.environment.values())
    return made


@pytest.mark.parametrize("given", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_every_variable_is_one_that_is_read(given: dict[str, Any]) -> None:
    for id_, environment in environments(**given).items():
        for name in environment:
            known = name.removeprefix(PREFIX) in VARIABLES or PEERS.fullmatch(name)
            assert known, f"{id_}: {name}"


def test_every_variable_that_is_read_is_set_by_some_option() -> None:
    written = {n for environment in environments(**EVERYTHING).values() for n in environment}
    mine = {"GUARD"}  # for a stack in which workflows are developed, set by hand
    assert {PREFIX + name for name in VARIABLES.keys() - mine} <= written


@pytest.mark.parametrize("given", [{}, EVERYTHING, {"scheduler": False}], ids=str)
def test_the_functions_can_read_their_configuration(given: dict[str, Any]) -> None:
    for id_, environment in environments(**given).items():
        required = ("TABLE", "QUEUE_URL") if id_ == "workflow-function" else ()
        config = read_config(environment, required=required)
        assert config.dlq_url


def test_every_service_and_app_that_is_called_has_its_queue() -> None:
    config = read_config(environments()["workflow-function"])
    assert set(config.service_queue_urls) == {variable_of(name) for name in app.services}
    assert set(config.app_queue_urls) == {app_variable_of("accounts")}


def test_the_retention_of_the_options_is_the_functions() -> None:
    config = read_config(environments(retention_days=21)["workflow-function"])
    assert config.retention_days == 21
