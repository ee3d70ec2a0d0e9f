"""What a self-test found, to be read in a terminal or below a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from streamchat_nb.protocol.checks import Check

__all__ = ["CheckReport"]

_MARKS = {"ok": "ok", "failed": "FAILED", "skipped": "-"}
_TITLES = {
    "address": "Address",
    "credential": "Credential",
    "reachable": "Reachable",
    "model": "Model",
    "streams": "Streams",
    "tools": "Tools",
    "websocket": "WebSocket",
    "sse": "HTTP stream",
    "rest": "Requests",
}


@dataclass(frozen=True)
class CheckReport:
    """The checks of a model's endpoint, and of the ways to the server.

    Prints as lines of text, and shows as a table in a notebook.

    Attributes:
        checks: Each with ``name``, ``status``, ``says`` and ``hint``.
    """

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(check.status != "failed" for check in self.checks)

    @override
    def __str__(self) -> str:
        lines: list[str] = []
        for check in self.checks:
            mark = _MARKS[check.status]
            lines.append(f"{mark:<7} {_title(check):<12} {check.says}")
            if check.hint:
                lines.append(f"{'':<21}{check.hint}")
        return "\n".join(lines)

    @override
    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        rows = ["| | | |", "|---|---|---|"]
        for check in self.checks:
            said = f"{check.says} {check.hint}".strip()
            mark = f"**{_MARKS[check.status]}**" if check.status == "failed" else ""
            rows.append(
                f"| {mark or _MARKS[check.status]} | {_title(check)} | {_cell(said)} |"
            )
        return "\n".join(rows)


def _title(check: Check) -> str:
    return _TITLES.get(check.name, check.name)


def _cell(text: str) -> str:
    """Return a text that is one cell of a table and nothing but text."""
    for character in "\\`*_[]<>|$~#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
