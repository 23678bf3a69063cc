"""Where a deployed function begins: its handler is looked for, and missed before it is deployed.

Beside the App's module: `lambda_function.py` has `handler = lambda_handler(app)`, and
`lambda_services.py` has `handler = service_handler(adapter, …)`. Options name others.
"""

from __future__ import annotations

import importlib

from lambda_workflow.aws.entry import KIND
from lambda_workflow.errors import ConfigurationError

WORKFLOW_MODULE = "lambda_function"
SERVICES_MODULE = "lambda_services"


def workflow_handler_of(address: str, chosen: str) -> str:
    """The workflow function's handler.

    Raises:
        ConfigurationError: there is none; says what to write, and where.
    """
    module, _, app = address.partition(":")
    written = [
        "from lambda_workflow.aws.handlers import lambda_handler",
        f"from {module} import {app or 'app'}",
        f"handler = lambda_handler({app or 'app'})",
    ]
    return _existing(chosen or _beside(address, WORKFLOW_MODULE), "workflow", written)


def service_handler_of(address: str, chosen: str) -> str:
    """The handler of the services' functions.

    Raises:
        ConfigurationError: there is none; says what to write, and where.
    """
    module, _, app = address.partition(":")
    written = [
        "from lambda_workflow.aws.handlers import service_handler",
        f"from {module} import {app or 'app'}",
        f"handler = service_handler(*{app or 'app'}.adapters.values())",
    ]
    return _existing(chosen or _beside(address, SERVICES_MODULE), "services", written)


def page_handler_of(service: str, chosen: str) -> str:
    """The handler of a service's page.

    Raises:
        ConfigurationError: there is none; says what to write, and where.
    """
    attribute = chosen.rpartition(".")[2]
    written = [f"def {attribute}(event, context):  # the event of a Lambda function URL",
               '    return {"statusCode": 200, "body": "…"}']  # fmt: skip
    return _existing(chosen, f"service.{service}.page", written)


def _beside(address: str, module: str) -> str:
    package = address.partition(":")[0].rpartition(".")[0]
    return f"{package}.{module}.handler" if package else f"{module}.handler"


def _existing(handler: str, section: str, written: list[str]) -> str:
    module, _, attribute = handler.rpartition(".")
    if not (module and attribute):
        raise ConfigurationError(
            f"[{section}] handler is {handler!r}: write module.attribute, such as "
            "shop.lambda_function.handler"
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        if isinstance(error, ModuleNotFoundError) and not f"{module}.".startswith(f"{error.name}."):
            raise  # the module's own trouble, with the line where it is
        lines = "\n    ".join(written)
        raise ConfigurationError(
            f"there is no {handler}, where the {section} function begins: write "
            f"{module.replace('.', '/')}.py with\n    {lines}\nor name another by [{section}] "
            "handler in the options"
        ) from error
    if not callable(found):
        raise ConfigurationError(f"{handler} is a {type(found).__name__}, not a handler")
    kind = getattr(found, KIND, "")  # one of the author's own has none
    if kind and kind != section:
        right = "\n    ".join(written)
        raise ConfigurationError(
            f"[{section}] handler is {handler}, the handler of the {kind}: it must be\n    {right}"
        )
    return handler
