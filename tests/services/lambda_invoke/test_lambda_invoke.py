"""Invocations: what a function gets, and what becomes of its answer, its errors and its silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lambda_workflow_services.lambda_invoke import LAMBDA, Invocation, InvocationResult
from lambda_workflow_services.lambda_invoke.adapter import lambda_invoke
from lambda_workflow_services.lambda_invoke.settings import settings
from pydantic import ValidationError

from lambda_workflow import ServiceError, Task
from lambda_workflow.aws.handlers import task_handler
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.messages import Update
from lambda_workflow.model.wire import parse, render_task
from tests.aws.deployed import deploy, event_of, lease, put, take, until
from tests.aws.server.process import Server
from tests.services.lambda_invoke.conftest import ARN
from tests.services.lambda_invoke.lambdas import Lambdas, Refusal

TASK = Task("order-7", "order-7/2", LAMBDA.name, None, 3, "https://sqs.example.com/in.fifo")
KNOWN = {"task_id": "order-7/2", "execution_id": "order-7", "attempt": 3}


async def invoked(**fields: Any) -> InvocationResult:
    result: InvocationResult = await lambda_invoke(Invocation(**fields), TASK)
    return result


async def failure(**fields: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await invoked(**fields)
    return caught.value


@pytest.mark.parametrize("wanted", ["", "re size", "s3://resize", "x" * 257])
def test_what_names_no_function_is_told_what_to_give(wanted: str) -> None:
    with pytest.raises(ValidationError, match="write the name of a function"):
        Invocation(function=wanted)


async def test_a_function_gets_the_payload_and_its_answer_comes_back(lambdas: Lambdas) -> None:
    lambdas.functions["resize"] = lambda event, context: {"wide": event["wide"] // 2, "é": None}
    result = await invoked(function="resize", payload={"wide": 800})
    assert result == InvocationResult(
        payload={"wide": 400, "é": None}, executed_version="$LATEST", request_id="request-1"
    )


async def test_the_client_context_tells_the_function_its_task(lambdas: Lambdas) -> None:
    lambdas.functions["resize"] = lambda event, context: context["custom"]
    custom = {"tenant": "t-1", "task_id": "forged"}
    result = await invoked(function="resize", client_context=custom)
    assert result.payload == {"tenant": "t-1", **KNOWN}


async def test_an_envelope_tells_it_too(lambdas: Lambdas) -> None:
    lambdas.functions["resize"] = lambda event, context: event
    result = await invoked(function="resize", payload=[1], envelope=True)
    assert result.payload == {"task": KNOWN, "payload": [1]}


async def test_an_event_is_done_when_lambda_has_accepted_it(lambdas: Lambdas) -> None:
    result = await invoked(function="resize", payload=1, invocation_type="Event", envelope=True)
    assert (result.status, result.payload, result.request_id) == (202, None, "request-1")
    (sent,) = lambdas.invoked
    assert (sent.kind, sent.context) == ("Event", {})
    assert sent.event == {"task": KNOWN, "payload": 1}


@pytest.mark.parametrize("option", [{"client_context": {"a": 1}}, {"log_tail": True}])
def test_an_event_with_what_lambda_would_drop_is_refused(option: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"an Event has no {next(iter(option))}"):
        Invocation.model_validate({"function": "f", "invocation_type": "Event", **option})


async def test_an_alias_may_be_said_in_two_ways(lambdas: Lambdas) -> None:
    lambdas.functions["resize:live"] = lambda event, context: "live"
    assert (await invoked(function="resize:live")).payload == "live"
    assert (await invoked(function="resize", qualifier="live")).payload == "live"
    error = await failure(function="resize:live", qualifier="live")
    assert (error.type, error.retryable) == ("BadRequest", False)
    assert "leave one out" in str(error)


@pytest.mark.parametrize(
    ("function", "allowed"),
    [
        ("resize", True),
        ("resize:live", True),
        ("resize:old", False),
        ("resize2", False),
        (f"{ARN}resize", True),
        ("123456789012:function:resize:live", True),
        ("999999999999:function:resize", False),
        (ARN.replace("us-east-1", "eu-west-1") + "resize", False),
    ],
)
async def test_only_what_is_allowed_is_invoked(
    lambdas: Lambdas, function: str, allowed: bool
) -> None:
    answered = {"resize", "resize:live", f"{ARN}resize", "123456789012:function:resize:live"}
    lambdas.functions |= dict.fromkeys(answered, lambda event, context: "done")
    if allowed:
        assert (await invoked(function=function)).payload == "done"
    else:
        error = await failure(function=function)
        assert (error.type, error.retryable) == ("NotAllowed", False)
        assert lambdas.invoked == []


@pytest.mark.parametrize(
    ("entry", "function", "allowed"),
    [
        ("resize:*", "resize:7", True),
        ("resize:*", "resize", False),
        ("resize", f"{ARN}resize", False),
    ],
)
def test_entries_mean_what_they_mean_in_iam(
    monkeypatch: pytest.MonkeyPatch, entry: str, function: str, allowed: bool
) -> None:
    monkeypatch.setenv("LAMBDA_INVOKE_FUNCTIONS", entry)
    settings.cache_clear()
    try:
        assert settings().check(Invocation(function=function)) == function
    except ServiceError:
        assert not allowed
    else:
        assert allowed


async def test_the_functions_error_is_the_calls_error(lambdas: Lambdas) -> None:
    def broken(event: Any, context: Any) -> None:
        raise KeyError("no such picture")

    lambdas.functions["resize"] = broken
    error = await failure(function="resize", log_tail=True)
    assert (error.type, error.retryable) == ("KeyError", True)
    assert "'resize' failed: KeyError: 'no such picture'" in str(error)
    assert error.details["errorType"] == "KeyError"
    assert error.details["errorMessage"] == "'no such picture'"
    assert "in broken" in error.details["stackTrace"][-1]
    assert "here it broke" in error.details["log_tail"]
    assert error.details["request_id"] == "request-1"
    assert "log_tail" not in (await failure(function="resize")).details


@pytest.mark.parametrize(
    ("refusal", "retryable", "after"),
    [
        (Refusal(429, "TooManyRequestsException", {"Retry-After": "7"}), True, 7),
        (Refusal(429, "TooManyRequestsException"), True, None),
        (Refusal(500, "ServiceException"), True, None),
        (Refusal(502, "ResourceNotReadyException"), True, None),
        (Refusal(502, "EC2ThrottledException"), True, None),
        (Refusal(502, "KMSAccessDeniedException"), False, None),
        (Refusal(404, "ResourceNotFoundException"), False, None),
        (Refusal(400, "InvalidRequestContentException"), False, None),
        (Refusal(403, "AccessDeniedException"), False, None),
        (Refusal(413, "RequestTooLargeException"), False, None),
    ],
    ids=lambda value: getattr(value, "code", None),
)
async def test_lambdas_refusal_is_not_repeated_here_and_says_whether_it_may_pass(
    lambdas: Lambdas, refusal: Refusal, retryable: bool, after: int | None
) -> None:
    lambdas.refusals.append(refusal)
    error = await failure(function="resize")
    assert (error.type, error.retryable) == (refusal.code, retryable)
    assert error.retry_after == (after and timedelta(seconds=after))
    assert error.details["status"] == refusal.status
    assert len(lambdas.invoked) == 1


async def test_throttling_says_which_limit_it_was(lambdas: Lambdas) -> None:
    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
    lambdas.refusals.append(Refusal(429, "TooManyRequestsException", more={"Reason": reason}))
    assert (await failure(function="resize")).details["reason"] == reason


async def test_a_slow_function_is_invoked_once_and_the_error_says_what_to_do(
    lambdas: Lambdas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMBDA_INVOKE_WAIT_SECONDS", "0.2")
    lambdas.functions["resize"] = lambda event, context: lambdas.slow.wait() and None
    error = await failure(function="resize")
    assert (error.type, error.retryable) == ("TimedOut", False)
    assert "has not answered for 0.2 s" in str(error)
    assert "ctx.callback" in str(error)
    await until(lambda: len(lambdas.invoked) > 0)
    lambdas.slow.set()
    assert len(lambdas.invoked) == 1


async def test_a_connection_that_breaks_off_invokes_nothing_a_second_time(
    lambdas: Lambdas,
) -> None:
    lambdas.hang_up = True
    error = await failure(function="resize")
    assert (error.type, error.retryable) == ("NoAnswer", True)
    assert "may have been invoked" in str(error)
    assert len(lambdas.invoked) == 1


async def test_a_lambda_that_cannot_be_reached_was_not_invoked(
    lambdas: Lambdas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
    error = await failure(function="resize")
    assert (error.type, error.retryable) == ("Unreachable", True)


@pytest.mark.parametrize(("kind", "size"), [("RequestResponse", 6 * 2**20), ("Event", 2**20)])
async def test_a_payload_of_the_limit_goes_and_one_byte_more_is_refused_before_the_call(
    lambdas: Lambdas, kind: str, size: int
) -> None:
    lambdas.functions["resize"] = lambda event, context: len(event)
    await invoked(function="resize", payload="x" * (size - 2), invocation_type=kind)
    assert len(lambdas.invoked) == 1
    error = await failure(function="resize", payload="x" * (size - 1), invocation_type=kind)
    assert (error.type, error.retryable) == ("PayloadTooLarge", False)
    assert f"{size + 1:,} bytes" in str(error)
    assert len(lambdas.invoked) == 1


async def test_a_client_context_over_the_limit_is_refused_before_the_call(
    lambdas: Lambdas,
) -> None:
    error = await failure(function="resize", client_context={"a": "x" * 2600})
    assert (error.type, error.retryable) == ("ClientContextTooLarge", False)
    assert lambdas.invoked == []


async def test_an_answer_that_is_no_json_is_said_to_be_none(lambdas: Lambdas) -> None:
    lambdas.functions["resize"] = lambda event, context: b"<html>"
    error = await failure(function="resize")
    assert (error.type, error.retryable) == ("BadResponse", False)


async def test_what_is_wrong_with_the_variables_is_said_at_once(
    lambdas: Lambdas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMBDA_INVOKE_FUNCTIONS", " , ")
    monkeypatch.setenv("LAMBDA_INVOKE_WAIT_SECONDS", "901")
    with pytest.raises(ConfigurationError, match=r"FUNCTIONS is not set.*WAIT_SECONDS is '901'"):
        await invoked(function="resize")


async def test_the_adapter_answers_before_its_own_function_is_out_of_time(
    lambdas: Lambdas, server: Server
) -> None:
    lambdas.functions["resize"] = lambda event, context: lambdas.slow.wait() and None
    config = await deploy([LAMBDA.name])
    url = config.service_queue_url(LAMBDA.name)
    task = replace(TASK, payload={"function": "resize"}, callback_queue_url=config.queue_url)
    await put(url, render_task(task))
    async with lease(url) as (messages, _):
        event = event_of("service-lambda_invoke", messages)
        done = await task_handler(lambda_invoke, config=config)(event, 1.3)
    assert done == {"batchItemFailures": []}
    (message,) = await take(config.queue_url)
    update = parse(message["Body"])
    assert isinstance(update, Update)
    assert update.failure is not None
    assert update.failure.type == "TimedOut"
    await until(lambda: len(lambdas.invoked) > 0)
    lambdas.slow.set()
