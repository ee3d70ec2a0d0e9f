"""Who asks, and whose conversations are whose."""

from __future__ import annotations

from dataclasses import dataclass

from streamchat_nb.protocol.content import Author

__all__ = ["Principal"]


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who asks.

    Attributes:
        id: Whose conversations these are.
        name: Shown beside what this person writes.
    """

    id: str
    name: str

    @property
    def author(self) -> Author:
        """This person as the author of what is written to a log."""
        return Author(id=self.id, name=self.name, kind="user")
