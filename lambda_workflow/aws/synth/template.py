"""The stages, one after another."""

from __future__ import annotations

from typing import Literal

from lambda_workflow.aws.synth.options import Options
from lambda_workflow.aws.synth.plan import plan
from lambda_workflow.aws.synth.sam import to_sam
from lambda_workflow.aws.synth.terraform import to_terraform
from lambda_workflow.runtime.app import App

Format = Literal["sam", "terraform"]


def synthesise(app: App, address: str, options: Options, *, format: Format = "sam") -> str:
    """The template of an App, as text: the same for the same App and options.

    Args:
        address: `MODULE:APP`, where the App stands.

    Raises:
        ConfigurationError: what it describes cannot work; says what to change.
    """
    stack = plan(app, address, options)
    header = f"Made by `lambda-workflow synth {address}`: change the App or the options, not this."
    if format == "terraform":
        return to_terraform(stack, header)
    return f"# {header}\n{to_sam(stack)}"
