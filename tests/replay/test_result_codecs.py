"""The type of what a step gives, as its function's annotation says, is resolved once a function."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from typing import Any

import pytest

from lambda_workflow.model.payload import codec_for
from lambda_workflow.replay.step_functions import facts_of


def number() -> int:
    return 1


def later() -> Defined:  # type: ignore[name-defined]  # noqa: F821  # what this test is about
    return 1


class Sized:
    """A callable that is no function, cannot be hashed and cannot be weakly referred to."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> int:
        return 1


def test_an_annotation_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert facts_of(number).codec is codec_for(int)
    monkeypatch.setattr("lambda_workflow.replay.step_functions.get_type_hints", None)
    assert facts_of(number).codec is codec_for(int)


def test_a_type_that_is_defined_later_is_found_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert facts_of(later).codec is codec_for(Any)
    monkeypatch.setitem(globals(), "Defined", int)
    assert facts_of(later).codec is codec_for(int)


def test_any_other_callable_may_be_a_step() -> None:
    for function in (lambda: 1, partial(number), Sized(), sorted):
        assert facts_of(function).codec is codec_for(Any)


def test_a_function_is_not_kept() -> None:
    def made() -> int:
        return 1

    facts_of(made)
    kept = weakref.ref(made)
    del made
    gc.collect()
    assert kept() is None
