"""The service `email` as an App of its own."""

from __future__ import annotations

from lambda_workflow import App
from lambda_workflow_services.email.adapter import email

app = App("email", adapters=[email])
