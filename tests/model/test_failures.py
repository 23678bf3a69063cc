"""What is kept of an exception is always JSON, and never large."""

from __future__ import annotations

import pytest

from lambda_workflow import ServiceError
from lambda_workflow.model.failures import failure_of
from lambda_workflow.model.payload import Json, dumps


class Odd(Exception):
    """An exception of somebody else's, with an attribute that happens to be called details."""

    def __init__(self, details: object) -> None:
        super().__init__("odd")
        self.details = details


def test_a_service_error_says_its_own_facts() -> None:
    failure = failure_of(ServiceError("no", type="Declined", retryable=False, details={"n": 1}))
    assert failure.type == "Declined"
    assert failure.message == "no"
    assert not failure.retryable
    assert failure.details == {"n": 1}


def test_classes_are_named_with_their_module_but_for_pythons_own() -> None:
    assert failure_of(KeyError("k")).type == "KeyError"
    assert failure_of(Odd(None)).type == f"{__name__}.Odd"


@pytest.mark.parametrize(
    ("details", "kept"),
    [({"a": [1, None]}, {"a": [1, None]}), ({1, 2}, "{1, 2}"), (float("nan"), "nan")],
)
def test_details_that_are_not_json_are_kept_as_text(details: object, kept: Json) -> None:
    failure = failure_of(Odd(details))
    assert failure.details == kept
    dumps(failure.to_json())


def test_what_is_long_is_clipped_and_says_so() -> None:
    failure = failure_of(Odd(["x" * 50_000]), stack="first\n" * 5_000 + "innermost")
    assert str(failure.details).endswith("characters more)")
    assert (failure.stack or "").endswith("innermost")
    long = failure_of(ValueError("y" * 10_000))
    assert long.message.endswith("… (6000 characters more)")
    assert len(dumps(failure.to_json())) + len(dumps(long.to_json())) < 30_000


def test_a_group_says_its_leaves() -> None:
    inner = ExceptionGroup("unhandled errors in a TaskGroup", [KeyError("id"), OSError("gone")])
    group = ExceptionGroup("unhandled errors in a TaskGroup", [ValueError("no"), inner])
    failure = failure_of(group)
    assert failure.type == "ExceptionGroup"
    assert failure.message == (
        "3 errors in a TaskGroup: ValueError: no; KeyError: 'id'; OSError: gone"
    )
    assert failure.details == [
        {"type": "ValueError", "message": "no"},
        {"type": "KeyError", "message": "'id'"},
        {"type": "OSError", "message": "gone"},
    ]
    own = ExceptionGroup("no seat", [ValueError("no")])
    assert failure_of(own).message == "no seat (1 error): ValueError: no"


def test_a_group_of_many_is_bounded() -> None:
    many = ExceptionGroup("unhandled errors in a TaskGroup", [ValueError("x" * 900)] * 500)
    failure = failure_of(many)
    assert failure.message.endswith("; and 495 more")
    assert len(dumps(failure.to_json())) < 30_000
    deep: Exception = ValueError("no")
    for _ in range(5_000):
        deep = ExceptionGroup("unhandled errors in a TaskGroup", [deep])
    assert failure_of(deep).message == "1 error in a TaskGroup: ValueError: no"
