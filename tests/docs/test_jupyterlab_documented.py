"""The reference of JupyterLab's extension names what the extension has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "labextension"
REFERENCE = (ROOT / "docs" / "reference" / "jupyterlab.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(streamchat:[a-z-]+)` \|.*\|([^|]*)\|$", re.MULTILINE)


def commands() -> set[str]:
    source = (EXTENSION / "src" / "commands.ts").read_text(encoding="utf-8")
    return set(re.findall(r'"(streamchat:[a-z-]+)"', source))


def schema() -> Any:
    text = (EXTENSION / "schema" / "plugin.json").read_text(encoding="utf-8")
    return json.loads(text)


def test_every_command_is_documented_and_no_other() -> None:
    documented = [name for name, _ in ROW.findall(REFERENCE)]

    assert len(commands()) >= 8
    assert sorted(documented) == sorted(commands())


def test_keys_are_documented_as_they_are() -> None:
    keys = {
        shortcut["command"]: " ".join(shortcut["keys"])
        for shortcut in schema()["jupyter.lab.shortcuts"]
    }

    documented = {name: written.strip() for name, written in ROW.findall(REFERENCE)}

    assert keys
    assert {name: key for name, key in documented.items() if key} == keys


def test_menus_toolbars_and_shortcuts_run_commands_that_there_are() -> None:
    used = set(re.findall(r'"(streamchat:[a-z-]+)"', json.dumps(schema())))

    icons = {schema()["jupyter.lab.setting-icon"]}
    assert used - icons <= commands()


def test_bounds_of_what_is_quoted_are_documented() -> None:
    source = (EXTENSION / "src" / "cell_text.ts").read_text(encoding="utf-8")
    bounds = re.findall(
        r"^export const \w+_CHARACTERS = ([\d_]+);", source, re.MULTILINE
    )

    assert len(bounds) == 2
    for bound in bounds:
        assert f"{int(bound):,}" in REFERENCE
