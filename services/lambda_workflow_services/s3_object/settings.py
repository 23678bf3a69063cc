"""The settings of `s3_copy`: environment variables, which the README lists."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Final

from lambda_workflow import ConfigurationError

PART_MIB: Final = 256  # seconds of copying within a region
PART_MIB_MIN, PART_MIB_MAX = 5, 5 * 1024  # S3's own


@cache
def part_bytes() -> int:
    """How large the parts are in which a larger object is copied.

    Raises:
        ConfigurationError: the variable is no such number.
    """
    return read_part_bytes(os.environ)


def read_part_bytes(environ: Mapping[str, str]) -> int:
    """See `part_bytes`."""
    given = environ.get("S3_COPY_PART_MIB", "").strip() or str(PART_MIB)
    if not (given.isascii() and given.isdigit() and PART_MIB_MIN <= int(given) <= PART_MIB_MAX):
        raise ConfigurationError(
            f"S3_COPY_PART_MIB is {given!r}: it must be a whole number, {PART_MIB_MIN} to "
            f"{PART_MIB_MAX}"
        )
    return int(given) * 1024 * 1024
