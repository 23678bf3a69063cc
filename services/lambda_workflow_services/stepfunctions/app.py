"""The service as an App of its own, for `lambda-workflow synth`."""

from __future__ import annotations

from lambda_workflow import App
from lambda_workflow_services.stepfunctions.adapter import stepfunctions

app = App("stepfunctions", adapters=[stepfunctions])
