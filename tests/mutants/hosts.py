"""Mutants of the hosts: memory, SQLite, AWS."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import AWS, LOCAL, Mutant

OF_HOSTS: Final = (
    Mutant(
        "a second record under a number (memory)",
        "lambda_workflow/testing/memory.py",
        "        elif texts[number - 1] != commit.text:\n",
        '        elif texts[number - 1] == "":\n',
        "a worker with an old copy goes on as if it had been first",
        (
            "tests/ports/test_store.py::test_a_taken_number_is_a_conflict_and_changes_nothing[memory]",
            "tests/ports/test_store.py::test_an_equal_repeat_of_an_old_record_is_no_conflict[memory]",
        ),
    ),
    Mutant(
        "a second record under a number (SQLite)",
        LOCAL + "change.py",
        "        if found[0] == text:\n            return True\n",
        "        if found[0]:\n            return True\n",
        "a worker with an old copy goes on as if it had been first",
        (
            "tests/ports/test_store.py::test_a_taken_number_is_a_conflict_and_changes_nothing[sqlite]",
            "tests/ports/test_store.py::test_an_equal_repeat_of_an_old_record_is_no_conflict[sqlite]",
        ),
    ),
    Mutant(
        "a second record under a number (DynamoDB)",
        AWS + "dynamodb.py",
        '            if present.get("d") == item["d"]:\n',
        "            if present:\n",
        "a worker with an old copy goes on as if it had been first",
        (
            "tests/ports/test_store.py::test_a_taken_number_is_a_conflict_and_changes_nothing[aws]",
            "tests/ports/test_store.py::test_an_equal_repeat_of_an_old_record_is_no_conflict[aws]",
        ),
    ),
    Mutant(
        "the delay queue's timers go on whenever they come",
        AWS + "timers.py",
        "        due = [timer for timer in timers if timer.due <= now]\n",
        "        due = list(timers)\n",
        "a timer of an hour fires after the 15 minutes of its first hop",
        ("tests/aws/test_scheduler.py::test_without_a_scheduler_an_hour_is_four_hops",),
    ),
    Mutant(
        "an engine that hangs keeps its executions",
        LOCAL + "presence.py",
        "            if now - since > self._lease or is_gone(peer.process)\n",
        "            if is_gone(peer.process)\n",
        "the lease of an engine on another machine never ends",
        ("tests/local/test_presence.py::test_an_engine_that_hangs_is_struck_out_after_its_lease",),
    ),
    Mutant(
        "an engine that was struck out writes",
        LOCAL + "change.py",
        "    for owner in {change.owner for change in changes} - {None}:\n",
        "    for owner in ():\n",
        "two engines go on with one execution",
        ("tests/local/test_worker.py::test_an_engine_that_was_struck_out_writes_nothing",),
    ),
    Mutant(
        "a put that fails goes unnoticed (S3)",
        AWS + "blobs.py",
        "class NoBlobs:",
        "async def _ignored(self: S3Blobs, key: str, content: bytes) -> None:\n"
        "    try:\n"
        "        await _put(self, key, content)\n"
        "    except BackendError:\n"
        "        pass\n\n\n"
        "_put, S3Blobs.put = S3Blobs.put, _ignored\n\n\n"
        "class NoBlobs:",
        "a record names a payload that is nowhere",
        (
            "tests/ports/test_faults.py::test_an_operation_that_fails_once[s3-Blobs.put]",
            "tests/ports/test_faults.py::test_an_operation_that_fails_once[s3-Blobs.get]",
        ),
    ),
    Mutant(
        "an old header replaces a newer one (memory)",
        "lambda_workflow/testing/memory.py",
        "        if present is None or present.turn <= header.turn:\n",
        "        if present is None or header.turn:\n",
        "a listing shows what a slow worker knew",
        (
            "tests/ports/test_listing.py::test_a_change_of_status_moves_an_execution_in_the_listing[memory]",
            "tests/ports/test_store.py::test_the_header_is_projected_and_an_older_one_ignored[memory]",
        ),
    ),
    Mutant(
        "an old header replaces a newer one (SQLite)",
        LOCAL + "change.py",
        '    "WHERE excluded.turn >= executions.turn",\n',
        '    "WHERE 1",\n',
        "a listing shows what a slow worker knew",
        (
            "tests/ports/test_listing.py::test_a_change_of_status_moves_an_execution_in_the_listing[sqlite]",
            "tests/ports/test_store.py::test_the_header_is_projected_and_an_older_one_ignored[sqlite]",
        ),
    ),
    Mutant(
        "what SQS refused in a batch is forgotten",
        AWS + "sqs.py",
        '            left = [fields for fields in left if fields["Id"] in failed]\n',
        "            left = [fields for fields in left if not failed]\n",
        "a task of ten is never sent",
        (
            "tests/aws/test_sends.py::test_what_is_for_one_execution_keeps_its_order_when_a_part_of_a_batch_fails[fails0]",
            "tests/aws/test_sends.py::test_what_is_for_one_execution_keeps_its_order_when_a_part_of_a_batch_fails[fails1]",
        ),
    ),
)
