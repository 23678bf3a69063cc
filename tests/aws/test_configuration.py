"""What is missing or wrong is said once, by name."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import BackendError, ConfigurationError, LimitExceeded
from lambda_workflow.aws.backend import blobs_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import PREFIX, AwsConfig, read_config
from lambda_workflow.aws.worker import Poller
from tests.patience import patience

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens
WORKFLOW = {f"{PREFIX}TABLE": "t", f"{PREFIX}QUEUE_URL": "q"}
WRONG = {
    "SCHEDULER_GROUP": ("g", "needs LAMBDA_WORKFLOW_SCHEDULER_ROLE_ARN"),
    "RETENTION_DAYS": ("many", "must be a whole number"),
    "DEDUPLICATE": ("yes", "must be 1 or 0"),
}


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_config({})
    for name in WORKFLOW:
        assert f"{name} is not set" in str(caught.value)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_explained(name: str) -> None:
    value, words = WRONG[name]
    with pytest.raises(ConfigurationError, match=f"{PREFIX}{name}.*{words}"):
        read_config({**WORKFLOW, PREFIX + name: value})


def test_a_service_function_that_deduplicates_needs_the_table() -> None:
    with pytest.raises(ConfigurationError, match=f"needs {PREFIX}TABLE"):
        read_config({f"{PREFIX}DEDUPLICATE": "1"}, required=())
    given = {f"{PREFIX}DEDUPLICATE": "1", f"{PREFIX}TABLE": "t"}
    assert read_config(given, required=()).deduplicate


async def test_a_large_payload_needs_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    aws = Aws()
    blobs = blobs_for(aws, AwsConfig("", ""))
    with pytest.raises(LimitExceeded, match=f"{PREFIX}BUCKET.*{PREFIX}TABLE"):
        await blobs.put("k", b"x")  # a result: its call fails, and the work is not done again
    with pytest.raises(BackendError, match=f"{PREFIX}BUCKET.*{PREFIX}TABLE"):
        await blobs.get("k")
    await aws.close()


def start_worker(*words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    command = [sys.executable, "-m", "lambda_workflow.aws.worker", *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
        timeout=patience(60),
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "usage: python -m lambda_workflow.aws.worker MODULE:APP"),
        (("nowhere:app",), "nowhere:app: No module named 'nowhere'"),
        (("tests.aws.apps:app",), f"{PREFIX}TABLE is not set"),
    ],
)
def test_a_worker_that_cannot_start_says_why(words: tuple[str, ...], told: str) -> None:
    done = start_worker(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_queue_that_cannot_be_read_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_MAX_ATTEMPTS"):
        monkeypatch.setenv(name, "1")
    aws = Aws(region="us-east-1", endpoint_url=NOWHERE)

    async def never(event: Any, seconds_max: float | None = None) -> dict[str, Any]:
        raise AssertionError(event)

    logged = asyncio.Event()

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.set()

    logger, heard = logging.getLogger("lambda_workflow"), Heard(logging.WARNING)
    logger.addHandler(heard)
    polling = asyncio.create_task(Poller(aws, f"{NOWHERE}/1/in.fifo", never).run())
    try:
        await asyncio.wait_for(logged.wait(), 30)
    finally:
        logger.removeHandler(heard)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await aws.close()
    assert f"nothing can be received from {NOWHERE}/1/in.fifo" in caplog.text


@pytest.mark.parametrize(
    ("days", "warned"), [("13", True), ("1", True), ("14", False), ("", False)]
)
def test_a_retention_shorter_than_a_dead_letter_lives_is_warned_of(
    days: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A function that runs with it already must go on: `synth` is where it is refused."""
    given = {f"{PREFIX}TABLE": "t", f"{PREFIX}QUEUE_URL": "q", f"{PREFIX}RETENTION_DAYS": days}
    with caplog.at_level(logging.WARNING, "lambda_workflow"):
        assert read_config(given).retention_days == int(days or 30)
    assert ("a dead letter may live 14 days" in caplog.text) == warned
