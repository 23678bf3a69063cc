"""What every test shares: async tests run on asyncio, the longest ones only when asked for, and
those that need the SAM CLI where it is.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

import botocore.loaders
import pytest

from lambda_workflow.model.payload_shown import values_shown
from tests.patience import patience

# `nohup make test &` has SIGINT ignored, which every child inherits; of a handler it does not.
with suppress(ValueError):  # a worker's thread may set none; its process has been started by one
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

# Each test opens a session of its own: what botocore reads from its files is read once a process.
botocore.loaders.create_loader = cache(botocore.loaders.create_loader)

FIRST: Final = (
    "local/test_sigkill.py", "simulation/test_simulation.py", "tidy/test_layout.py",
    "services/test_own_app.py", "synth/test_init.py", "runtime/test_map_large.py",
)  # fmt: skip
"""Files with the longest tests: begun last, they would keep one core when the others are done."""

SAM: Final = Path(__file__).parents[1] / ".venv-sam"


@pytest.fixture
def shown_values() -> Iterator[None]:
    """Texts of errors have values, for tests of the words that only they explain."""
    with values_shown():
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="run the longest tests as well: more seeds, more faults, the peers' cases on AWS",
    )


def pytest_configure(config: pytest.Config) -> None:
    # The limit after which a test counts as hung; pytest has no public way to change it here.
    limit = patience(float(config.getini("faulthandler_timeout")))
    config._inicache["faulthandler_timeout"] = str(limit)
    config.addinivalue_line("markers", "thorough: long, and run only with --thorough")
    config.addinivalue_line("markers", "sam: needs the SAM CLI, which `make sam` installs")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not (SAM / ".made").exists():
        for item in items:
            if item.get_closest_marker("sam"):
                item.add_marker(pytest.mark.skip(reason="`make sam` makes the environment of it"))
    homes = [SAM.parent / "tests" / name for name in FIRST]
    items.sort(key=lambda item: item.path not in homes)
    if config.getoption("--thorough"):
        return
    left = [item for item in items if item.get_closest_marker("thorough")]
    items[:] = [item for item in items if not item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=left)
