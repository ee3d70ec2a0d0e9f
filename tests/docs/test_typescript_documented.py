"""Every name that the npm package exports is in its reference, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXPORTS = (ROOT / "frontend/src/client/index.ts").read_text(encoding="utf-8")
CONVERSATION = (ROOT / "frontend/src/client/conversation.ts").read_text(
    encoding="utf-8"
)
REFERENCE = (ROOT / "docs/reference/typescript.md").read_text(encoding="utf-8")


def exported_names() -> set[str]:
    lists = re.findall(r"export (?:type )?\{([^}]*)\}", EXPORTS)
    names = (name.strip() for part in lists for name in part.split(","))
    return {name.removeprefix("type ") for name in names if name}


def test_exported_names_are_documented() -> None:
    names = exported_names()
    assert {"connect", "Conversation", "Store", "Event"} <= names
    missing = {name for name in names if not re.search(rf"`{name}\b", REFERENCE)}
    assert missing == set()


def test_methods_of_a_conversation_are_documented() -> None:
    methods = set(re.findall(r"^  (?:async )?([a-z]\w+)\(", CONVERSATION, re.MULTILINE))
    methods -= {"constructor"}
    assert {"send", "approve", "configure", "close"} <= methods
    missing = {name for name in methods if f"`{name}(" not in REFERENCE}
    assert missing == set()
