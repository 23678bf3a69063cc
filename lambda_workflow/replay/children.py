"""Other executions that a Context starts."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, Final, Literal, TypeVar, cast

from lambda_workflow.errors import ConfigurationError, LimitExceeded, UnknownWorkflow
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.commands import StartChild
from lambda_workflow.model.ids import (
    EXECUTION_ID_CHARACTERS_MAX,
    check_execution_id,
    display_name,
    task_id,
)
from lambda_workflow.model.payload_bounds import bounded
from lambda_workflow.replay.base import ContextBase, limit_ms
from lambda_workflow.replay.operations import Child
from lambda_workflow.replay.places import caller, line_of
from lambda_workflow.replay.reasons import of_execution
from lambda_workflow.replay.workflow import RemoteWorkflow, Workflow

In = TypeVar("In")

ParentClosePolicy = Literal["cancel", "terminate", "abandon"]
"""What becomes of a child when its parent ends, or gives it up, before it."""

CALLABLE: Final = "the Service itself (not its adapter or its name), or a workflow"
STARTABLE: Final = "a workflow; work for a service is handed over by ctx.send"
DEPTH_MAX: Final = 16  # children of children: more is nearly always a workflow that calls itself


class Children(ContextBase):
    """See `Context`."""

    def start(
        self,
        workflow: Workflow[In, Any] | RemoteWorkflow[In, Any],
        request: In,
        *,
        id: str | None = None,
        name: str = "",
    ) -> str:
        """Start another workflow without waiting for it; it outlives this one. Returns its id.

        Raises:
            EncodeError: the request is not of the workflow's request type.
            PayloadTooLarge: it is over 16 MiB, or nests over 200 levels deep.
            UnknownWorkflow: the App does not list the workflow.
        """
        if self._is_frozen():
            return id or ""
        check_kind(workflow, (Workflow, RemoteWorkflow), "what ctx.start is to start", STARTABLE)
        command = self._start_child(workflow, request, id, name)
        detached = StartChild(
            command.operation, command.workflow, command.payload, command.child, command.app,
            "abandon", True, command.name,
        )  # fmt: skip
        self._execution.ledger.add(detached)
        return detached.child

    def call_child(
        self,
        workflow: Workflow[Any, Any] | RemoteWorkflow[Any, Any],
        request: Any,
        *,
        id: str | None = None,
        parent_close: ParentClosePolicy = "cancel",
        timeout: timedelta | None = None,
        name: str = "",
        retry: object = None,
        **unknown: object,
    ) -> Child[Any]:
        """What `call` does for a workflow."""
        check_kind(workflow, (Workflow, RemoteWorkflow), "what ctx.call is to call", CALLABLE)
        if unknown:
            raise _no_option(workflow.name, min(unknown))
        if retry is not None:
            raise ConfigurationError(
                f"call of workflow {workflow.name!r}: a child has no retry policy of its own; "
                "put the call into `ctx.retry(…)`"
            )
        if self._is_frozen():
            return cast("Child[Any]", self._never())
        if parent_close not in ("cancel", "terminate", "abandon"):
            raise ConfigurationError(
                f"parent_close={parent_close!r}: it must be 'cancel', 'terminate' or 'abandon'"
            )
        within_ms = limit_ms(timeout, f"call of workflow {workflow.name!r}")
        begun = self._start_child(workflow, request, id, name)
        command = StartChild(
            begun.operation, begun.workflow, begun.payload, begun.child, begun.app, parent_close,
            False, begun.name,
        )  # fmt: skip
        execution = self._execution
        child: Child[Any] = Child(execution, command, caller(3), workflow.result_codec)
        child.request_codec = workflow.request_codec
        execution.ledger.register(child, command)
        if within_ms:
            execution.ledger.deadline(child, within_ms)
        return child

    def _start_child(
        self,
        workflow: Workflow[Any, Any] | RemoteWorkflow[Any, Any],
        request: Any,
        id: str | None,
        name: str,
    ) -> StartChild:
        execution = self._execution
        app = workflow.app if isinstance(workflow, RemoteWorkflow) else ""
        known = execution.tools.workflows
        if not app and known is not None and workflow.name not in known:
            execution.fault = UnknownWorkflow(
                f"workflow {self.info.workflow!r} starts workflow {workflow.name!r}, which its App "
                f"does not list: add it to App(workflows=[…]), or call it as a RemoteWorkflow "
                f"({line_of(caller(2))}; {of_execution(execution)})"
            )
            raise execution.fault
        if execution.options.depth >= DEPTH_MAX:
            raise LimitExceeded(
                f"execution {self.execution_id} is {DEPTH_MAX} children deep: start no more of "
                "them from here; look for a workflow that calls itself without end"
            )
        shown = display_name("child", name) if name else ""
        label = f"request of {workflow.name}"
        payload = bounded(workflow.request_codec.encode(request, label), label)
        operation = execution.loop.operation()
        chosen = _child_id(self.execution_id, operation) if id is None else check_execution_id(id)
        return StartChild(operation, workflow.name, payload, chosen, app, name=shown)


def _no_option(workflow: str, option: str) -> ConfigurationError:
    return ConfigurationError(
        f"call of workflow {workflow!r} has no {option}=: attempt_timeout=, heartbeat_timeout= and "
        "start_timeout= are for calls of services; a call of a workflow has id=, parent_close=, "
        "timeout= and name="
    )


def _child_id(parent: str, operation: str) -> str:
    named = task_id(parent, operation)
    if len(named) <= EXECUTION_ID_CHARACTERS_MAX:
        return named
    return f"{parent[:60]}/{hashlib.sha256(named.encode()).hexdigest()[:40]}"
