from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.errors import UsageError
from streamchat_nb.testing.fake_endpoint import (
    FakeEndpoint,
    main,
    running_fake_endpoint,
)

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

HINT = r"pip install 'streamchat_nb\[testing\]'"


@pytest.fixture
def _without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def find_others(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "aiohttp" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_others)


@pytest.mark.usefixtures("_without_aiohttp")
def test_endpoint_without_what_it_serves_with_says_what_to_install(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UsageError, match=HINT):
        FakeEndpoint()
    with pytest.raises(UsageError, match=HINT), running_fake_endpoint():
        pass
    with pytest.raises(SystemExit):
        main([])

    assert "streamchat_nb[testing]" in capsys.readouterr().err
