"""The mutants: one wrong line each, why it is wrong, and the tests that fail for it."""

from __future__ import annotations

from typing import Final

from tests.mutants.hosts import OF_HOSTS
from tests.mutants.mutant import MODEL, REPLAY, RUNTIME, Mutant

__all__ = ["MUTANTS", "Mutant"]

MUTANTS: Final = (
    *OF_HOSTS,
    Mutant(
        "dispatch before the commit",
        RUNTIME + "committing.py",
        "        remaining = await backend.store.commit(commit)\n",
        "        await dispatch(effects, backend)\n"
        "        remaining = await backend.store.commit(commit)\n",
        "what a worker that loses the race has caused is sent all the same",
        (
            "tests/runtime/test_turns.py::test_nothing_is_sent_before_it_is_committed",
            "tests/runtime/test_turns.py::test_a_commit_that_fails_leaves_nothing_and_sends_nothing",
        ),
    ),
    Mutant(
        "a redelivered message sends nothing again",
        RUNTIME + "turns.py",
        "        if unsure := {number for number in intake.duplicates if number <= live.loaded}:\n",
        "        if unsure := {number for number in intake.duplicates if number < 0}:\n",
        "a worker dies between commit and dispatch: the execution waits for ever",
        (
            "tests/runtime/test_turns.py::test_a_repeated_start_and_an_answer_in_one_batch_send_only_what_is_open",
            "tests/runtime/test_turns.py::test_a_repeated_message_sends_again_what_was_not_sent[0]",
        ),
    ),
    Mutant(
        "a message without identity sends nothing again",
        RUNTIME + "redelivery.py",
        "        return self._number if is_of_steps or _like(message) in self._likes else set()\n",
        "        return set()\n",
        "a heartbeat that woke a BLOCKED execution is taken for a new one",
        (
            "tests/runtime/test_redelivery.py::test_what_wakes_a_blocked_execution_sends_when_it_comes_again[heartbeat]",
            "tests/runtime/test_redelivery.py::test_a_heartbeat_of_a_call_that_its_own_turn_gave_up_sends_it_again",
        ),
    ),
    Mutant(
        "no mark of the writer",
        RUNTIME + "committing.py",
        'if _begins_once(turn, history) else ""\n',
        'if False else ""\n',
        "two workers that store the same record both begin a step that runs at most once",
        (
            "tests/runtime/test_at_most_once.py::test_two_workers_with_one_record_do_not_both_begin_the_step",
        ),
    ),
    Mutant(
        "an error of an attempt that was never made counts",
        MODEL + "judging.py",
        "    if attempt != current:\n",
        "    if attempt < current:\n",
        "an adapter that names a wrong attempt ends one that is under way",
        ("tests/model/test_history.py::test_every_message_in_every_state",),
    ),
    Mutant(
        "an error is taken twice",
        MODEL + "judging.py",
        '    if (turn := history.taken.get(f"{operation}#{attempt}")) is not None:\n',
        '    if (turn := history.taken.get(f"{operation}##{attempt}")) is not None:\n',
        "one refusal costs two attempts",
        ("tests/runtime/test_turns_calls.py::test_a_late_error_of_an_earlier_attempt_is_dropped",),
    ),
    Mutant(
        "a callback without its token",
        MODEL + "judging.py",
        "    if not _is_genuine(history, message.token, message.operation):\n",
        "    if not message.operation:\n",
        "anybody who knows an execution's id answers for it",
        (
            "tests/operations/test_callbacks.py::test_a_token_cannot_be_forged_moved_or_guessed[memory]",
            "tests/operations/test_callbacks.py::test_a_token_cannot_be_forged_moved_or_guessed[sqlite]",
        ),
    ),
    Mutant(
        "a timer fires at the time of the host that delivers it",
        MODEL + "judging.py",
        "    return e.TimerFired(history.clock(max(now, opened.due)), operation)\n",
        "    return e.TimerFired(history.clock(now), operation)\n",
        "a clock that is slow makes ctx.now() earlier than the timer was due",
        ("tests/model/test_history.py::test_every_message_in_every_state[timer-begun]",),
    ),
    Mutant(
        "attempts share a deduplication id",
        RUNTIME + "dispatch.py",
        "    return SendTask(task, dedup_of(execution_id, operation, attempt, fresh))\n",
        '    return SendTask(task, dedup_of(execution_id, operation, "", fresh))\n',
        "a retry within five minutes is dropped by a FIFO queue",
        (
            "tests/runtime/test_turns_calls.py::test_retries_wait_exponentially_longer_up_to_the_cap[options0]",
            "tests/runtime/test_turns_calls.py::test_retries_wait_exponentially_longer_up_to_the_cap[options1]",
        ),
    ),
    Mutant(
        "a redrive repeats the old deduplication ids",
        RUNTIME + "kin.py",
        "filter(None, (execution_id, operation, str(what), fresh))",
        "filter(None, (execution_id, operation, str(what)))",
        "what a redrive sends within five minutes is dropped",
        (
            "tests/runtime/test_turns_blocked.py::test_a_redrive_of_a_healthy_execution_sends_again_under_new_deduplication_ids",
        ),
    ),
    Mutant(
        "a withdrawn child is not started first",
        RUNTIME + "kin.py",
        "        return [end] if fresh else [child_request(opened, history, inbox_url), end]\n",
        "        return [end]\n",
        "a child whose start was lost with a worker begins after it was told to end",
        (
            "tests/runtime/test_children.py::test_who_gives_a_child_up_sends_its_start_once_more_before_the_end",
        ),
    ),
    Mutant(
        "unwinding has effects",
        REPLAY + "unwind.py",
        "    loop.frozen, loop.stopped = True, False\n",
        "    loop.frozen, loop.stopped = False, False\n",
        "`finally: await ctx.call(RELEASE)` releases what is still in use",
        (
            "tests/replay/test_unwinding.py::test_unwinding_at_the_first_suspension_does_nothing[gathers_errors]",
            "tests/replay/test_unwinding.py::test_unwinding_at_the_first_suspension_does_nothing[compensates_on_a_stack]",
        ),
    ),
    Mutant(
        "a task does not know the deadline of its attempt",
        RUNTIME + "dispatch.py",
        '            f"{operation}:attempt{attempt}",\n',
        "",
        "an adapter goes on with what nobody waits for",
        ("tests/runtime/test_turns_calls.py::test_a_task_knows_when_its_attempt_is_over",),
    ),
    Mutant(
        "a group goes on after a failed turn",
        RUNTIME + "batch.py",
        "                break  # what is left in the group came later, and fails with it\n",
        "                continue\n",
        "the order within a group is lost",
        (
            "tests/runtime/test_batch.py::test_a_group_with_several_executions_keeps_its_order_when_one_fails",
        ),
    ),
    Mutant(
        "a dead letter that was not kept is acknowledged",
        RUNTIME + "batch.py",
        '            self._notify("failed", record.group, error=f"dead-letter queue: ',
        "            return True\n"
        '            self._notify("failed", record.group, error=f"dead-letter queue: ',
        "a message that nobody can read is nowhere",
        (
            "tests/runtime/test_batch.py::test_poison_that_cannot_be_moved_fails_with_all_that_follows_it",
            "tests/runtime/test_batch.py::test_what_is_refused_and_cannot_be_moved_away_comes_again_with_its_turn",
        ),
    ),
    Mutant(
        "a retried call is closed",
        MODEL + "history.py",
        "            if operation not in retried:\n",
        "            if operation:\n",
        "the answer to attempt 2 comes too late, for ever",
        (
            "tests/model/test_history.py::test_every_message_in_every_state[answer-resting]",
            "tests/model/test_history.py::test_every_message_in_every_state[answer-retried]",
        ),
    ),
    Mutant(
        "large payloads are stored with the record",
        RUNTIME + "playing.py",
        "        return await stored(turn, history.execution_id, self._backend.blobs)\n",
        "        return turn\n",
        "a turn with two results of 200 KB is over DynamoDB's limit",
        (
            "tests/runtime/test_turns_payloads.py::test_a_payload_over_the_limit_is_stored_apart_and_comes_back",
            "tests/runtime/test_turns_payloads.py::test_it_is_stored_before_the_commit_that_names_it",
        ),
    ),
    Mutant(
        "a copy is kept after a failure",
        RUNTIME + "living.py",
        "        return self._live.pop(execution_id, None) or await self._load(execution_id)\n",
        "        return self._live.get(execution_id) or await self._load(execution_id)\n",
        "facts that were not committed are believed",
        (
            "tests/runtime/test_turns_memory.py::test_the_least_recently_used_copy_goes_first",
            "tests/runtime/test_turns_memory.py::test_an_ended_execution_is_not_kept",
        ),
    ),
    Mutant(
        "a kept copy judges alone",
        RUNTIME + "intake.py",
        "            case Late() if live.cached and",
        "            case Late() if live.cached and not judged.reason and",
        "what another worker has asked for is dropped as unknown",
        (
            "tests/runtime/test_turns_conflicts.py::test_what_a_stale_copy_calls_unknown_is_judged_again_from_the_store",
        ),
    ),
    Mutant(
        "a run forgets what the one before has heard",
        MODEL + "history.py",
        "renewal.untaken, self.heard())\n",
        "renewal.untaken, ())\n",
        "a signal that is repeated across ctx.continue_as_new counts twice",
        (
            "tests/runtime/test_runs.py::test_a_crash_between_two_runs_loses_neither",
            "tests/runtime/test_runs.py::test_what_the_end_of_a_run_causes_is_sent_although_its_worker_died",
        ),
    ),
    Mutant(
        "a blocked turn keeps the results of unrecorded steps",
        RUNTIME + "turns.py",
        "    return is_of_step and history.opening(event.operation, c.RunStep) is None\n",
        "    return False\n",
        "other code takes a step's result for that of another operation",
        (
            "tests/runtime/test_turns_other_code.py::test_a_step_of_a_blocked_turn_is_not_taken_for_something_else[unlisted-0]",
            "tests/runtime/test_turns_other_code.py::test_a_step_of_a_blocked_turn_is_not_taken_for_something_else[unlisted-10]",
        ),
    ),
    Mutant(
        "a bug is an outcome",
        REPLAY + "execution.py",
        "        if self.bug is not None and self.fault is None:\n",
        "        if self.bug is not None and self.fault is not None:\n",
        "an AttributeError of new code ends what cannot be repaired",
        (
            "tests/runtime/test_bugs.py::test_a_bug_blocks_with_its_place_and_nothing_of_its_turn_is_sent[False-attribute-AttributeError]",
            "tests/runtime/test_bugs.py::test_a_bug_blocks_with_its_place_and_nothing_of_its_turn_is_sent[False-key-KeyError]",
        ),
    ),
    Mutant(
        "code that was cut off goes on",
        REPLAY + "execution.py",
        "        if cut is not None:\n            self.fault = cut\n            raise cut\n",
        "",
        "an endless loop spins again at each redelivery",
        (
            "tests/runtime/test_watchdog.py::test_an_endless_loop_is_named_once_and_blocks[plain]",
            "tests/runtime/test_watchdog.py::test_an_endless_loop_is_named_once_and_blocks[catching]",
        ),
    ),
    Mutant(
        "other code goes on with a history",
        REPLAY + "execution.py",
        "        if made != turn.commands and self.fault is None:",
        "        if made == [] and self.fault is None:",
        "what was recorded is taken for what this code asked for",
        (
            "tests/replay/test_divergence.py::test_a_call_that_is_no_longer_given_up_is_told",
            "tests/replay/test_divergence.py::test_a_call_that_is_newly_given_up_is_told",
        ),
    ),
    Mutant(
        "a call's payload is not compared",
        REPLAY + "check.py",
        '    c.ScheduleCall: _by("operation", "service", "payload"),\n',
        '    c.ScheduleCall: _by("operation", "service"),\n',
        "the receipt of 100 is taken for that of 900",
        (
            "tests/replay/test_divergence.py::test_a_payload_that_is_stored_apart_is_compared_by_its_digest",
        ),
    ),
    Mutant(
        "a step that was interrupted runs again",
        RUNTIME + "playing.py",
        "                    if step.at_most_once and step.replayed:\n",
        '                    if step.at_most_once and step.name == "":\n',
        "a card is charged twice",
        (
            "tests/runtime/test_turns_steps.py::test_two_workers_with_the_very_same_turn_begin_a_step_that_runs_once_but_once",
            "tests/operations/test_steps.py::test_a_step_that_runs_at_most_once_is_not_begun_again_after_a_crash[memory]",
        ),
    ),
    Mutant(
        "a payload of a child belongs to its parent",
        RUNTIME + "offload.py",
        "    owner = command.child if isinstance(command, c.StartChild) else execution_id\n",
        "    owner = execution_id\n",
        "a child's request is of another execution, and is not believed",
        (
            "tests/runtime/test_turns_payloads.py::test_a_child_owns_its_request_and_its_parent_may_read_its_result",
        ),
    ),
    Mutant(
        "the time of an execution stands still while it is held",
        RUNTIME + "turns.py",
        "        commands = commands or _limit_of(history, status)\n",
        "",
        "an execution that is BLOCKED at its start outlives its limit",
        (
            "tests/runtime/test_turns_blocked.py::test_the_time_of_an_execution_runs_while_its_code_is_unknown",
        ),
    ),
    Mutant(
        "what fails at each delivery stays in its group",
        RUNTIME + "batch.py",
        "            often = one.record.receive_count >= RECEIVES_MAX and",
        "            often = one.record.receive_count > 10_000 and",
        "one message holds its group for an hour, and drags its neighbours along",
        (
            "tests/runtime/test_moved_aside.py::test_a_message_that_always_fails_is_moved_aside_at_its_third_receive",
        ),
    ),
    Mutant(
        "an answer to what the last turn began sends it again",
        RUNTIME + "redelivery.py",
        "        if self._is_answer(message):\n",
        "        if self._is_answer(message) and not message:\n",
        "a call that is under way at the end is performed and answered without end",
        (
            "tests/runtime/test_redelivery.py::test_an_answer_to_what_the_last_turn_began_does_not_send_it_again",
        ),
    ),
    Mutant(
        "an answer that cannot be read is an error of the call",
        REPLAY + "unreadable.py",
        "    block_on_fact(execution, what, error, line_of(operation.site))\n    return True\n",
        "    return False\n",
        "a deployment that adds a field to a response fails what waits for an old one",
        (
            "tests/runtime/test_unreadable.py::test_a_changed_contract_blocks_and_goes_on_once_it_reads_the_fact",
        ),
    ),
    Mutant(
        "a step is told by its name alone",
        REPLAY + "check.py",
        "    c.RunStep: _step,\n",
        '    c.RunStep: _by("operation", "name"),\n',
        "the price of a cup is taken for that of a can",
        ("tests/replay/test_identity.py::test_another_step_is_told_from_the_recorded_one",),
    ),
)
