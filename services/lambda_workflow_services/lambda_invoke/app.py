"""The service as an App of its own, for `lambda-workflow synth`."""

from __future__ import annotations

from lambda_workflow import App
from lambda_workflow_services.lambda_invoke.adapter import lambda_invoke

app = App("lambda-invoke", adapters=[lambda_invoke])
