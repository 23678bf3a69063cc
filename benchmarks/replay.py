"""How many calls per CPU second a replay gets through, decoding of the stored records included.

    python -m benchmarks.replay

Histories of 100, 1,000 and 10,000 sequential calls are made by running the workflow, encoded as the
store keeps them, then decoded and replayed from the start. One JSON line is printed; the rates are
the best of five (the machine's other load only ever takes time away).
"""

from __future__ import annotations

import json
import random
import time

from lambda_workflow import App, Context, Service, workflow
from lambda_workflow.model.events import CallSucceeded, Started
from lambda_workflow.model.turn import Turn, decode_turns, encode_turn
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.replayer import replay
from lambda_workflow.runtime.lent import tools_for

ADD = Service("add", int, int)
LENGTHS = (100, 1_000, 10_000)


@workflow
async def sequential(ctx: Context, calls: int) -> int:
    """Call one service many times, each call with the result of the one before."""
    total = 0
    for _ in range(calls):
        total = await ctx.call(ADD, total)
    return total


APP = App("bench", workflows=[sequential], services=[ADD])
TOOLS = tools_for(APP)


def history(calls: int) -> list[str]:
    """The stored records of a finished execution."""
    now = 1_767_225_600_000
    execution = Execution(sequential, "bench", TOOLS)
    texts: list[str] = []
    for number in range(1, calls + 2):
        at = now + number
        event = (
            Started(at, "sequential", calls, 1)
            if number == 1
            else CallSucceeded(at, str(number - 1), number)
        )
        execution.advance([event])
        texts.append(encode_turn(Turn(number, at, (event,), execution.ledger.settle())))
    execution.close()
    return texts


def rate(texts: list[str]) -> float:
    """Calls per CPU second of the best of five replays."""
    best = float("inf")
    for _ in range(5):
        before = time.process_time()
        decision = replay(sequential, "bench", decode_turns(texts), TOOLS)
        best = min(best, time.process_time() - before)
        assert decision.outcome is not None
    return (len(texts) - 1) / best


def main() -> None:
    """Print the JSON line."""
    random.seed(1)
    rates = {str(calls): round(rate(history(calls))) for calls in LENGTHS}
    flat = min(rates.values()) / max(rates.values())
    print(json.dumps({"calls_per_cpu_second": rates, "flat": round(flat, 2)}))


if __name__ == "__main__":
    main()
