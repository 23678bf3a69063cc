"""The service as an App of its own, for `lambda-workflow synth`."""

from __future__ import annotations

from lambda_workflow import App
from lambda_workflow_services.delay.adapter import delay

app = App("delay", adapters=[delay])
