"""The pytest plugin, loaded by its entry point wherever this package is installed."""

from __future__ import annotations

import pytest

from lambda_workflow.testing.histories_plugin import add_histories, add_histories_options


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    add_histories_options(parser)


@pytest.hookimpl(tryfirst=True)  # before -k and the like choose
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add the histories."""
    add_histories(session, items)
