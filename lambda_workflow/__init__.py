"""Durable workflows for Python on plain AWS parts.

A workflow is an `async def` function that calls services with `await ctx.call(SERVICE, payload)`;
between calls nothing runs and nothing is paid for. See the README for a first one.
"""

from lambda_workflow.errors import (
    BackendError,
    BadResponse,
    BatchFailed,
    CallbackClosed,
    CallbackFailed,
    CallbackHeartbeatTimedOut,
    CallbackTimedOut,
    CallFailed,
    CallTimedOut,
    ChildFailed,
    ChildTimedOut,
    ConfigurationError,
    Conflict,
    DecodeError,
    EncodeError,
    ExecutionAlreadyStarted,
    ExecutionCancelled,
    ExecutionClosed,
    ExecutionError,
    ExecutionFailed,
    ExecutionNotFound,
    ExecutionTerminated,
    ExecutionTimedOut,
    HeartbeatTimedOut,
    InvalidToken,
    LimitExceeded,
    MessageError,
    NonDeterminismError,
    NonDeterministicCall,
    OperationFailed,
    PayloadError,
    PayloadTooLarge,
    PollTimedOut,
    ResultTimeout,
    SagaFailed,
    ServiceError,
    StepFailed,
    StepInterrupted,
    StepTimedOut,
    TaskCancelled,
    TurnTimedOut,
    UnknownService,
    UnknownWorkflow,
    UnreadableFact,
    UpdateRejected,
    UsageError,
    WorkflowBug,
    WorkflowError,
)
from lambda_workflow.model.bugs import BUGS
from lambda_workflow.model.bus_events import BusEvent
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Task
from lambda_workflow.model.retry import NO_RETRY, RetryPolicy
from lambda_workflow.model.service import Service
from lambda_workflow.model.signal import Signal, Update
from lambda_workflow.replay.batch_result import BatchItem, BatchReason, BatchResult, ItemStatus
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.polling import Backoff
from lambda_workflow.replay.saga import Saga
from lambda_workflow.replay.workflow import RemoteWorkflow, Workflow, workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.heartbeats import heartbeat, heartbeat_sync, task_info
from lambda_workflow.runtime.later import Later
from lambda_workflow.runtime.schedule import Schedule
from lambda_workflow.runtime.serve import Adapter, serve
from lambda_workflow.runtime.steps import StepInfo, step_info
from lambda_workflow.suspension import Suspended

__all__ = [
    "BUGS",
    "NO_RETRY",
    "Adapter",
    "App",
    "BackendError",
    "Backoff",
    "BadResponse",
    "BatchFailed",
    "BatchItem",
    "BatchReason",
    "BatchResult",
    "BusEvent",
    "CallFailed",
    "CallTimedOut",
    "CallbackClosed",
    "CallbackFailed",
    "CallbackHeartbeatTimedOut",
    "CallbackTimedOut",
    "ChildFailed",
    "ChildTimedOut",
    "Client",
    "ConfigurationError",
    "Conflict",
    "Context",
    "DecodeError",
    "EncodeError",
    "ExecutionAlreadyStarted",
    "ExecutionCancelled",
    "ExecutionClosed",
    "ExecutionError",
    "ExecutionFailed",
    "ExecutionNotFound",
    "ExecutionTerminated",
    "ExecutionTimedOut",
    "HeartbeatTimedOut",
    "InvalidToken",
    "ItemStatus",
    "Later",
    "LimitExceeded",
    "MessageError",
    "NonDeterminismError",
    "NonDeterministicCall",
    "OperationFailed",
    "PayloadError",
    "PayloadTooLarge",
    "PollTimedOut",
    "RemoteWorkflow",
    "ResultTimeout",
    "RetryPolicy",
    "Saga",
    "SagaFailed",
    "Schedule",
    "Service",
    "ServiceError",
    "Signal",
    "Status",
    "StepFailed",
    "StepInfo",
    "StepInterrupted",
    "StepTimedOut",
    "Suspended",
    "Task",
    "TaskCancelled",
    "TurnTimedOut",
    "UnknownService",
    "UnknownWorkflow",
    "UnreadableFact",
    "Update",
    "UpdateRejected",
    "UsageError",
    "Workflow",
    "WorkflowBug",
    "WorkflowError",
    "heartbeat",
    "heartbeat_sync",
    "serve",
    "step_info",
    "task_info",
    "workflow",
]
