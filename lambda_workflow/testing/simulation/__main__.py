"""`python -m lambda_workflow.testing.simulation`: run seeds, or one of them with its trace."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from lambda_workflow.testing.simulation.corpus import CORPUS
from lambda_workflow.testing.simulation.faults import Fate
from lambda_workflow.testing.simulation.simulate import (
    Report,
    every_point,
    simulate,
    simulate_point,
    simulate_seeds,
)

CHUNK = 50  # seeds that a process runs before it reports
FAILURES_SHOWN = 10


@dataclass(slots=True)
class Totals:
    """What the runs came to."""

    runs: int = 0
    executions: int = 0
    turns: int = 0
    points: int = 0
    failed: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, report: Report) -> None:
        """Count a report, and say it if it broke a law."""
        self.runs += 1
        self.executions += report.executions
        self.turns += report.turns
        self.points += report.points
        self.seen += report.seen
        if report.broken:
            self.failed += 1
            if self.failed <= FAILURES_SHOWN:
                say(str(report))


def say(text: str) -> None:
    """Write a line at once, so that a pipe sees the progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 1 if a law was broken."""
    options = parse_options(arguments)
    begin = time.monotonic()
    totals = Totals()
    for number, report in enumerate(reports(options), 1):
        totals.add(report)
        if options.trace:
            say("\n".join([*report.trace, str(report)]))
        elif number % 1000 == 0:
            say(f"{number} runs, {totals.failed} failed, {time.monotonic() - begin:.0f} s")
    if options.count:
        say("\n".join(f"{times:8}  {what}" for what, times in sorted(totals.seen.items())))
    say(
        f"{totals.runs} runs: {totals.executions} executions, {totals.turns} turns, "
        f"{totals.points} calls of ports, {totals.failed} failed, {time.monotonic() - begin:.1f} s"
    )
    return 1 if totals.failed else 0


def reports(options: argparse.Namespace) -> Iterator[Report]:
    """The reports of what the command line asks for."""
    if options.shape is not None:
        yield from shape_reports(options)
    elif options.seed is not None:
        yield simulate(options.seed, trace=options.trace)
    else:
        yield from seed_reports(options.first, options.seeds, options.jobs)


def shape_reports(options: argparse.Namespace) -> Iterator[Report]:
    """One fault at one point of a shape, or each fault at each of them."""
    alone = [shape for shape in CORPUS.shapes if shape.alone]
    shapes = [shape for shape in alone if options.shape in ("all", shape.name)]
    if not shapes:
        names = ", ".join(sorted(shape.name for shape in alone))
        raise SystemExit(f"no shape is called {options.shape!r}; there are: all, {names}")
    for shape in shapes:
        if options.fate is None:
            yield from every_point(shape, wrong_code=options.wrong_code)
        else:
            fate, how = Fate[options.fate], {"wrong_code": options.wrong_code}
            yield simulate_point(shape, fate, options.point, **how, trace=options.trace)


def seed_reports(first: int, count: int, jobs: int) -> Iterator[Report]:
    """Many seeds, over several processes."""
    chunks = [
        range(start, min(start + CHUNK, first + count))
        for start in range(first, first + count, CHUNK)
    ]
    if jobs == 1:
        for chunk in chunks:
            yield from simulate_seeds(chunk)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for finished in pool.map(simulate_seeds, chunks):
            yield from finished


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m lambda_workflow.testing.simulation")
    add = parser.add_argument
    add("--seeds", type=int, default=1000, help="how many seeds to run (default: 1000)")
    add("--first", type=int, default=0, help="the first of them (default: 0)")
    add("--jobs", type=int, default=1, help="processes to run them in (default: 1)")
    add("--seed", type=int, help="run this one seed")
    add("--shape", help="run this shape with each fault at each point; `all`: every shape")
    add("--fate", choices=[fate.name for fate in Fate], help="with --shape: only this fault")
    add("--point", type=int, default=0, help="with --fate: at this point (default: 0)")
    add("--wrong-code", action="store_true", help="with --shape: code that blocks it, for a while")
    add("--trace", action="store_true", help="with --seed or --fate: say all that happens")
    add("--count", action="store_true", help="say how often each shape and rare event came up")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
