"""AWS's durable execution SDK for Python: replay, its local test runner, and the tail of a call.

Prints one JSON line:

operations_per_cpu_second   an invocation that finds all its steps done: the event is decoded from
                            JSON and the code runs through; by number of steps, the best of ROUNDS
seconds_per_invocation_min  wall time of the shortest of these, whose work takes a few milliseconds
workflows_per_second        of the local runner, in memory: ten-step workflows, 64 at once
steps_per_second_single     of the local runner: one workflow of 1,000 steps
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import sys
import time
from statistics import median
from typing import Any

from aws_durable_execution_sdk_python.execution import durable_execution
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from aws_durable_execution_sdk_python_testing.invoker import create_test_lambda_context

STEPS, STEPS_SINGLE, CONCURRENT, ROUNDS = 10, 1_000, 64, 5
PACKAGES = ("aws-durable-execution-sdk-python", "aws-durable-execution-sdk-python-testing")


def chain(steps: int, context: Any) -> int:
    """Steps one after another."""
    total = 0
    for number in range(steps):
        total += context.step(lambda _, number=number: number, name="echo")
    return total


handler = durable_execution(chain, boto3_client=object())  # a replay calls no service


def runner() -> Any:
    """The local test runner, looking often enough not to be what is measured."""
    return DurableFunctionTestRunner(handler=handler, poll_interval=0.005)


def single(steps: int) -> tuple[float, str]:
    """Steps per second of one workflow, and the event of an invocation after its end."""
    with runner() as local:
        start = time.perf_counter()
        arn = local.run_async(input=json.dumps(steps), execution_timeout=600)
        result = local.wait_for_result(arn, timeout=600)
        seconds = time.perf_counter() - start
        assert result.result == str(sum(range(steps)))
        operations = [each.to_json_dict() for each in local._store.load(arn).operations]
    state = {"Operations": operations, "NextMarker": ""}
    token = {"DurableExecutionArn": arn, "CheckpointToken": "token"}
    return steps / seconds, json.dumps({**token, "InitialExecutionState": state})


def replay(event: str, steps: int) -> tuple[float, float]:
    """Operations per CPU second, and wall seconds."""
    best = shortest = float("inf")
    context = create_test_lambda_context()
    for _ in range(ROUNDS):
        start, before = time.perf_counter(), time.process_time()
        answer = handler(json.loads(event), context)
        best = min(best, time.process_time() - before)
        shortest = min(shortest, time.perf_counter() - start)
        assert answer == {"Status": "SUCCEEDED", "Result": str(sum(range(steps)))}
    return steps / best, shortest


def many() -> float:
    """Ten-step workflows per second."""
    with runner() as local:
        start = time.perf_counter()
        arns = [
            local.run_async(input=str(STEPS), execution_timeout=600, execution_name=f"e{number}")
            for number in range(CONCURRENT)
        ]
        for arn in arns:
            assert local.wait_for_result(arn, timeout=600).result == str(sum(range(STEPS)))
        return CONCURRENT / (time.perf_counter() - start)


def main() -> None:
    """Measure, and print the line."""
    logging.disable(logging.ERROR)
    rates: dict[str, int] = {}
    tails: list[float] = []
    for steps in (STEPS, 100, STEPS_SINGLE):
        operations, seconds = replay(single(steps)[1], steps)
        rates[str(steps)] = round(operations)
        tails.append(seconds)
    figures = {
        "operations_per_cpu_second": rates,
        "seconds_per_invocation_min": round(min(tails), 3),
        "workflows_per_second": round(median(many() for _ in range(ROUNDS)), 1),
        "steps_per_second_single": round(median(single(STEPS_SINGLE)[0] for _ in range(ROUNDS)), 1),
    }
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    machine = {"cores": os.cpu_count(), "python": sys.version.split()[0]}
    print(json.dumps({"peer": "durable", "versions": versions, **figures, **machine}), flush=True)


if __name__ == "__main__":
    main()
