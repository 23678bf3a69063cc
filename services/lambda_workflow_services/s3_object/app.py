"""The services by themselves: `lambda-workflow synth` takes this module and `:app`."""

from __future__ import annotations

from lambda_workflow import App
from lambda_workflow_services.s3_object.adapter import s3_copy, s3_get, s3_put, s3_wait

app = App("s3-object", workflows=[], adapters=[s3_copy, s3_get, s3_put, s3_wait])
