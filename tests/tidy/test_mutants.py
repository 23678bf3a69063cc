"""The list of mutants (tests/mutants) keeps up with the code; `make mutants` runs it."""

from __future__ import annotations

from tests.mutants.catalog import MUTANTS
from tests.tidy.tree import ROOT

MUTANTS_MIN = 25


def test_every_mutant_still_fits_the_code() -> None:
    """Where this fails, bring the mutant up to date with the line that it breaks."""
    unfit = [
        f"{mutant.name}: {mutant.file}"
        for mutant in MUTANTS
        if (ROOT / mutant.file).read_text().count(mutant.text) != 1
    ]
    assert unfit == []


def test_every_test_that_kills_a_mutant_is_there() -> None:
    gone = []
    for mutant in MUTANTS:
        for node in mutant.tests:
            path, _, name = node.partition("::")
            if f"def {name.partition('[')[0]}(" not in (ROOT / path).read_text():
                gone.append(f"{mutant.name}: {node}")
    assert gone == []


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= MUTANTS_MIN
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
