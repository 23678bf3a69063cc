"""The services by themselves: `lambda-workflow synth` takes this module and `:app`."""

from __future__ import annotations

from lambda_workflow import App
from lambda_workflow_services.eventbridge.adapter import publish, wait

app = App("eventbridge", workflows=[], adapters=[publish, wait])
