"""When a handler makes its clients: in Lambda's init phase, elsewhere at the first event.

A process each, as a function has: a handler keeps its event loop for the process's life.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

from tests.aws.server.process import ENVIRONMENT, ROOT

IN_LAMBDA: Final = {"AWS_LAMBDA_FUNCTION_NAME": "workflows"}
CONFIGURED: Final = {
    "LAMBDA_WORKFLOW_TABLE": "state",
    "LAMBDA_WORKFLOW_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/in.fifo",
}
FIRST_EVENT: Final = """
import os
from examples.bank_transaction.{module} import handler
for name in [name for name in os.environ if name.startswith(("LAMBDA_WORKFLOW_", "AWS_"))]:
    del os.environ[name]
os.environ |= {later}
print(handler({{"Records": []}}, None))
"""


def first_event(
    module: str, loaded_with: dict[str, str], later: dict[str, str] | None = None
) -> str:
    """What a handler answers, or how it fails, when the variables are others than at its import."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_EVENT.format(module=module, later=later or {})],
        env=loaded_with,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("module", ["lambda_function", "lambda_services"])
def test_in_lambda_all_is_made_when_the_function_is_loaded(module: str) -> None:
    assert first_event(module, {**ENVIRONMENT, **CONFIGURED, **IN_LAMBDA}) == str(
        {"batchItemFailures": []}
    )


def test_elsewhere_an_import_reads_nothing() -> None:
    told = first_event("lambda_function", {**ENVIRONMENT, **CONFIGURED})
    assert "LAMBDA_WORKFLOW_TABLE is not set" in told


@pytest.mark.parametrize(
    ("variables", "missing"),
    [(ENVIRONMENT, "LAMBDA_WORKFLOW_TABLE is not set"), (CONFIGURED, "no AWS region")],
)
def test_what_is_missing_in_lambda_is_told_at_the_first_event(
    variables: dict[str, str], missing: str
) -> None:
    told = first_event("lambda_function", {**variables, **IN_LAMBDA}, variables)
    assert told.startswith("lambda_workflow.errors.ConfigurationError")
    assert missing in told
    assert first_event("lambda_function", IN_LAMBDA, {**ENVIRONMENT, **CONFIGURED}) == str(
        {"batchItemFailures": []}
    )
