"""Finding an App by its address, and reading a request."""

from __future__ import annotations

import importlib
import json
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


def read_input(text: str) -> Any:
    """The JSON value of `--input`: itself, or the content of the file after an `@`.

    Raises:
        ConfigurationError: there is no such file, or it is not JSON.
    """
    try:
        return json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except OSError as error:
        raise ConfigurationError(f"--input {text}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigurationError(f"--input {text}: not JSON ({error})") from error
