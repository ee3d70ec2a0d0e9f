"""Whether a value belongs to a library, without importing the library."""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

__all__ = ["Foreign", "is_frame", "is_from", "loaded", "type_name"]


Foreign: TypeAlias = Any
"""A value of a library that is not imported: its type cannot be named here."""


def loaded(module: str) -> Foreign:
    """Return a module that somebody else has imported, ``None`` when nobody has."""
    return sys.modules.get(module)


def is_from(value: object, module: str, *names: str) -> bool:
    """Say whether ``value`` is an instance of a class of that module, or of its heirs.

    A library that nobody has imported has no values: it is not imported here. The
    value itself is not asked (a proxy may claim to be of any class).
    """
    found = loaded(module)
    classes = (getattr(found, name, None) for name in names)
    return any(
        isinstance(kind, type) and issubclass(type(value), kind) for kind in classes
    )


def is_frame(value: object) -> bool:
    """Say whether ``value`` is a data frame, a series or an index."""
    return is_from(value, "pandas", "DataFrame", "Series", "Index") or is_from(
        value, "polars", "DataFrame", "LazyFrame", "Series"
    )


def type_name(value: object) -> str:
    """Return a value's class for people: ``"pandas DataFrame"``, ``"list"``."""
    kind = type(value)
    library = str(kind.__module__).partition(".")[0]
    plain = library in {"builtins", "__main__", ""} or library.startswith("_")
    return (kind.__name__ if plain else f"{library} {kind.__name__}")[:100]
