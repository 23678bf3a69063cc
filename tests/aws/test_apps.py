"""Workflows of another App, on queues of their own."""

from __future__ import annotations

import pytest

from lambda_workflow.aws.config import AwsConfig, app_variable_of, read_config
from lambda_workflow.errors import ConfigurationError

ENVIRONMENT = {"LAMBDA_WORKFLOW_TABLE": "state", "LAMBDA_WORKFLOW_QUEUE_URL": "https://in"}


def test_an_apps_queue_is_named_by_a_variable() -> None:
    variable = app_variable_of("card-billing")
    assert variable == "LAMBDA_WORKFLOW_APP_CARD_BILLING_QUEUE_URL"
    config = read_config({**ENVIRONMENT, variable: " https://billing.fifo "})
    assert config.inbox_url("app:card-billing") == "https://billing.fifo"
    assert config.inbox_url("") == "https://in"
    assert config.inbox_url("https://elsewhere") == "https://elsewhere"


def test_an_app_without_a_queue_is_told_with_the_variable_to_set() -> None:
    with pytest.raises(ConfigurationError, match="set LAMBDA_WORKFLOW_APP_BILLING_QUEUE_URL"):
        AwsConfig("state", "https://in").inbox_url("app:billing")
