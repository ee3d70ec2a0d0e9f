"""Every picture that the docs name is there, and every state has one."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.make_shots import STATES, screens

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SCREENS = DOCS / "reference" / "screens.md"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
IMAGES = {path for path in (DOCS / "images").rglob("*") if path.is_file()}
MOST_STATE_BYTES = 120_000
MOST_RECORDING_BYTES = 1_500_000
NAMED = (
    *("empty", "thinking", "streaming", "tool-running", "approval", "error"),
    *("long-code", "table", "math", "branch-switch", "search", "dark", "narrow"),
    *("right-to-left", "phone", "waterfall", "conversations", "settings"),
    *("attachments", "jupyterlab-cell", "side-panel"),
)
"""The states that must be shown, whatever others there are."""


def _linked(page: Path) -> list[Path]:
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    return [(page.parent / link).resolve() for link in links if "://" not in link]


def test_pictures_that_are_named_exist() -> None:
    missing = {
        f"{page.relative_to(ROOT)}: {image}"
        for page in PAGES
        for image in _linked(page)
        if image not in IMAGES
    }
    assert missing == set()


def test_pictures_that_exist_are_shown() -> None:
    assert IMAGES - {image for page in PAGES for image in _linked(page)} == set()


def test_screens_are_as_the_script_writes_them() -> None:
    assert SCREENS.read_text(encoding="utf-8") == screens()


def test_every_state_is_shown_once() -> None:
    names = [state.name for state in STATES]
    assert len(names) == len(set(names))
    assert set(NAMED) <= set(names)


def test_pictures_are_small() -> None:
    states = {path for path in IMAGES if path.parent.name == "states"}
    assert len(states) >= len(NAMED)
    for path in states:
        assert path.stat().st_size <= MOST_STATE_BYTES, path.name
    for path in IMAGES:
        if path.suffix == ".webp":
            assert path.stat().st_size <= MOST_RECORDING_BYTES, path.name
