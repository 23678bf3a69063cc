"""Durable workflows for Python on plain AWS parts.

A workflow is an `async def` function that calls services with `await ctx.call(SERVICE, payload)`;
between calls nothing runs and nothing is paid for. See the README for a first one.
"""

from lambda_workflow.errors import (
    BackendError,
    BadResponse,
    BatchFailed,
    CallFailed,
    CallTimedOut,
    ConfigurationError,
    Conflict,
    DecodeError,
    EncodeError,
    ExecutionAlreadyStarted,
    ExecutionError,
    ExecutionFailed,
    ExecutionNotFound,
    LimitExceeded,
    MessageError,
    NonDeterminismError,
    NonDeterministicCall,
    OperationFailed,
    PayloadError,
    PollTimedOut,
    ResultTimeout,
    SagaFailed,
    ServiceError,
    StepFailed,
    Suspended,
    UnknownService,
    UnknownWorkflow,
    WorkflowError,
)
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Task
from lambda_workflow.model.retry import NO_RETRY, RetryPolicy
from lambda_workflow.model.service import Service
from lambda_workflow.replay.batch_result import BatchItem, BatchReason, BatchResult, ItemStatus
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.polling import Backoff
from lambda_workflow.replay.saga import Saga
from lambda_workflow.replay.workflow import Workflow, workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.serve import Adapter, serve

__all__ = [
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
    "CallFailed",
    "CallTimedOut",
    "Client",
    "ConfigurationError",
    "Conflict",
    "Context",
    "DecodeError",
    "EncodeError",
    "ExecutionAlreadyStarted",
    "ExecutionError",
    "ExecutionFailed",
    "ExecutionNotFound",
    "ItemStatus",
    "LimitExceeded",
    "MessageError",
    "NonDeterminismError",
    "NonDeterministicCall",
    "OperationFailed",
    "PayloadError",
    "PollTimedOut",
    "ResultTimeout",
    "RetryPolicy",
    "Saga",
    "SagaFailed",
    "Service",
    "ServiceError",
    "Status",
    "StepFailed",
    "Suspended",
    "Task",
    "UnknownService",
    "UnknownWorkflow",
    "Workflow",
    "WorkflowError",
    "serve",
    "workflow",
]
