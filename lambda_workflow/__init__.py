"""Durable workflows for Python on plain AWS parts.

A workflow is an `async def` function that calls services with `await ctx.call(SERVICE, payload)`;
between calls nothing runs and nothing is paid for. See the README for a first one.
"""

from lambda_workflow.errors import (
    BackendError,
    BadResponse,
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
    ResultTimeout,
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
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import Workflow, workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.serve import Adapter, serve

__all__ = [
    "NO_RETRY",
    "Adapter",
    "App",
    "BackendError",
    "BadResponse",
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
    "LimitExceeded",
    "MessageError",
    "NonDeterminismError",
    "NonDeterministicCall",
    "OperationFailed",
    "PayloadError",
    "ResultTimeout",
    "RetryPolicy",
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
