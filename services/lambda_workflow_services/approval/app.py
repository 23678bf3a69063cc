"""The App of the service alone: what `lambda-workflow synth` deploys."""

from __future__ import annotations

from lambda_workflow import App
from lambda_workflow_services.approval.adapter import approval

app = App("approval", workflows=[], adapters=[approval])
