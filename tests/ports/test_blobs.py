"""Large payloads, on every backend."""

from __future__ import annotations

import pytest

from lambda_workflow.errors import BackendError
from tests.ports.harness import Harness
from tests.ports.made import ODD_ID

KEYS = ["plain", "e/2.1-result-0f", f"{ODD_ID}/1", "x" * 128 + "/" + "0" * 64]


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"x" * 3_000_000], ids=len)
async def test_content_comes_back_as_it_was_put(harness: Harness, content: bytes) -> None:
    await harness.backend.blobs.put("key", content)
    assert await harness.backend.blobs.get("key") == content


async def test_keys_do_not_touch_each_other(harness: Harness) -> None:
    for key in KEYS:
        await harness.backend.blobs.put(key, key.encode())
    for key in KEYS:
        assert await harness.backend.blobs.get(key) == key.encode()


async def test_putting_again_changes_nothing(harness: Harness) -> None:
    for _ in range(2):
        await harness.backend.blobs.put("key", b"content")
    assert await harness.backend.blobs.get("key") == b"content"


async def test_a_key_that_was_never_put_is_an_error_that_names_it(harness: Harness) -> None:
    with pytest.raises(BackendError, match="nothing-here"):
        await harness.backend.blobs.get("nothing-here")
