from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Collect what a test left, within the test that left it."""
    yield
    gc.collect()
