"""The service as an App of its own, for `lambda-workflow synth`."""

from __future__ import annotations

from lambda_workflow import App
from lambda_workflow_services.ecs_task.adapter import ecs_task

app = App("ecs-task", adapters=[ecs_task])
