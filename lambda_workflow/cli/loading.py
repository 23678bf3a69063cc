"""Finding an App by its address, and reading what is given with a command."""

from __future__ import annotations

import argparse
import importlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.runtime.app import App


def load_app(address: str) -> App:
    """The App of `MODULE:NAME`.

    Raises:
        ConfigurationError: there is no such module or App.
    """
    module, _, name = address.partition(":")
    try:
        found = getattr(importlib.import_module(module), name or "app")
    except (ImportError, AttributeError, ValueError) as error:
        if not _is_of(error, module, name or "app"):
            raise  # the module's own trouble, with the line where it is
        raise ConfigurationError(
            f"{address}: {error}; give MODULE:APP, such as examples.greeter.app:app"
        ) from error
    if not isinstance(found, App):
        raise ConfigurationError(f"{address} is a {type(found).__name__}, not an App")
    return found


def _is_of(error: Exception, module: str, name: str) -> bool:
    """Whether the address is wrong, and not what stands at it."""
    if isinstance(error, ModuleNotFoundError):
        return f"{module}.".startswith(f"{error.name}.")
    return not module or (isinstance(error, AttributeError) and error.name == name)


def read_input(text: str, option: str = "--input") -> Any:
    """The JSON value of an option: itself, or the content of the file after an `@`.

    Raises:
        ConfigurationError: there is no such file, or it is not JSON.
    """
    try:
        return json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except OSError as error:
        raise ConfigurationError(f"{option} {text}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{option} {text}: not JSON ({error})") from error


def read_tag(text: str) -> tuple[str, str]:
    """The name and text of `--tag NAME=TEXT`."""
    name, mark, value = text.partition("=")
    if not mark:
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=TEXT")
    return name, value


def read_seconds(text: str) -> timedelta:
    """The time of an option in seconds."""
    try:
        return timedelta(seconds=float(text))
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds, such as 90 or 0.5") from error
