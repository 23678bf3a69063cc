"""The App: it calls a service that another stack serves."""

from __future__ import annotations

from examples.node_adapter.workflow import LABEL, ship
from lambda_workflow import App

app = App("parcels", workflows=[ship], services=[LABEL])
