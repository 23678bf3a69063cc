"""The service `http` as an App of its own."""

from __future__ import annotations

from lambda_workflow import App
from lambda_workflow_services.http.adapter import http

app = App("http", adapters=[http])
