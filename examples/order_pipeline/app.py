"""The App: what `lambda-workflow run` and the worker load."""

from __future__ import annotations

from examples.order_pipeline.services import charge, mail, pick, push, release
from examples.order_pipeline.workflow import process_order
from lambda_workflow import App

app = App("orders", workflows=[process_order], adapters=[pick, release, charge, mail, push])
