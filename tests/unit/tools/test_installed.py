from __future__ import annotations

import importlib.metadata
import sys
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.tools.installed import entry_points

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = "streamchat_nb.tools"
AGENTS = "streamchat_nb.agents"


def install(folder: Path, name: str, offers: str | None) -> None:
    information = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    )
    if offers is not None:
        (information / "entry_points.txt").write_text(offers)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders that packages are installed in; the first one goes first."""
    both = (tmp_path / "first", tmp_path / "second")
    for folder in both:
        folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder) for folder in both])
    return both


def test_entry_points_are_those_that_packages_have_under_the_group(
    folders: tuple[Path, Path],
) -> None:
    first, second = folders
    install(first, "of-both", f"[{TOOLS}]\nb = m:b\na = m:a\n[{AGENTS}]\nc = m:c\n")
    install(first, "of-others", "[console_scripts]\nrun = m:run\n")
    install(first, "of-none", None)
    install(second, "of-tools", f"[other]\nx = m:x\n[{TOOLS}]\nd = m:d\n")
    for group, names in ((TOOLS, ["b", "a", "d"]), (AGENTS, ["c"])):
        found = entry_points(group=group)
        assert [entry.name for entry in found] == names
        assert set(found) == set(importlib.metadata.entry_points(group=group))


@pytest.mark.parametrize("hiding", ["[console_scripts]\nrun = m:run\n", None])
def test_entry_points_of_a_package_are_those_of_the_first_one_on_the_path(
    folders: tuple[Path, Path], hiding: str | None
) -> None:
    first, second = folders
    install(first, "twice", hiding)
    install(second, "twice", f"[{TOOLS}]\nold = m:old\n")
    assert list(entry_points(group=TOOLS)) == []


def test_entry_points_are_looked_for_anew_on_another_path(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = folders
    install(second, "offering", f"[{TOOLS}]\na = m:a\n")
    monkeypatch.setattr(sys, "path", [str(first)])
    assert list(entry_points(group=TOOLS)) == []
    monkeypatch.setattr(sys, "path", [str(first), str(second)])
    assert [entry.value for entry in entry_points(group=TOOLS)] == ["m:a"]
