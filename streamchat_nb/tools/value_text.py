"""Values as text with a bound: cells of tables, JSON, and representations.

Nothing here reads more of a value than it shows: a list of ten million numbers
costs as much as one of a thousand.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import re
import uuid
from collections import deque
from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

import msgspec

from streamchat_nb.tools.libraries import Foreign, is_frame, is_from, type_name
from streamchat_nb.tools.llm_hook import has_hook, said_by
from streamchat_nb.tools.output import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamchat_nb.tools.secret_filter import SecretFilter

__all__ = ["ValueText", "counted", "cut", "visible_text"]

_MOST_DEPTH = 16
_MOST_LOOKED_AT = 10_000
_MOST_INTEGER_BITS = 4_000
_MOST_WHOLE = 1e15
_MOST_REPRESENTATION = 4_000
_MOST_TRIES = 4
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_SEQUENCES = (
    *(list, tuple, set, frozenset, deque, range),
    *(KeysView, ValuesView, ItemsView),
)
_AS_TEXT = (
    *(bytes, bytearray, dt.date, dt.time, dt.timedelta),
    *(decimal.Decimal, uuid.UUID, PurePath),
)


def visible_text(text: str) -> str:
    r"""Return ``text`` with what hides in it written out, for example ``\u202e``.

    Control characters (new lines and tabs stay), marks of direction, blanks without
    a width and tag characters: they hide instructions from the people who look.
    """
    return _HIDDEN.sub(lambda found: repr(found[0])[1:-1], clean_text(text))


def cut(text: str, limit: int) -> str:
    """Return ``text``, cut to ``limit`` characters (at least 1) with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def counted(number: int, noun: str) -> str:
    """Return ``"1 row"``, ``"10,000 rows"``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class ValueText:
    """Writes values as text: bounded, cleaned, and without secrets when asked.

    Args:
        secrets: Leaves out what looks like a secret; ``None`` writes everything.
    """

    def __init__(self, secrets: SecretFilter | None = None) -> None:
        self.secrets = secrets

    def text(self, text: str, limit: int) -> str:
        """Return a text of at most ``limit`` characters, its hidden ones visible."""
        beginning = text[: max(limit, _MOST_LOOKED_AT)]
        if self.secrets is not None:
            # Before it is cut: half a key is not known for one.
            beginning = self.secrets.without_secrets(beginning)
        shown = visible_text(beginning)
        if len(shown) <= limit and len(text) > max(limit, _MOST_LOOKED_AT):
            shown = f"{shown}…"
        return cut(shown, limit)

    def cell(self, value: object, limit: int) -> str:
        """Return a value as one line of at most ``limit`` characters."""
        if isinstance(value, str):
            line = self.text(value, limit)
        elif value is None or isinstance(value, bool) or type(value) is int:
            line = self.text(str(value), limit)
        elif isinstance(value, float):
            line = "NaN" if math.isnan(value) else _short_number(float(value))
        else:
            plain = _Plain(self, room=4 * limit).plain(value)
            line = plain if isinstance(plain, str) else _json(plain)
        line = line.replace("\n", "\\n").replace("\t", "\\t")
        return cut(line, limit)

    def written(self, value: object, limit: int) -> str:
        """Return a value as compact JSON of at most ``limit`` characters.

        What is left out of a long list, dict or text is said in its place. What JSON
        has no words for is text: dates, NaN, objects by their representation. What is
        nothing but a text goes without quotes.
        """
        room = limit
        written = ""
        for _ in range(_MOST_TRIES):
            plain = _Plain(self, room=room).plain(value)
            written = plain if isinstance(plain, str) else _json(plain)
            if len(written) <= limit:
                break
            # Quotes, marks and escapes took more than their share.
            room = room * limit // (2 * len(written))
        return cut(written, limit)

    def representation(self, value: object, limit: int) -> str:
        """Return ``repr(value)``, at most ``limit`` characters, whatever it does."""
        try:
            text = repr(value)
        except Exception as error:  # noqa: BLE001 (anybody's code)
            return cut(
                f"<{type_name(value)}; its repr raised {type_name(error)}>", limit
            )
        return self.text(text, limit)


class _Plain:
    """One walk through a value, to what JSON has, until its room is used up."""

    def __init__(self, writer: ValueText, *, room: int) -> None:
        self._writer = writer
        self._room = room

    def plain(self, value: object, depth: int = 0) -> object:
        """Return ``value`` as plain JSON values; room is taken for each."""
        self._room -= 2
        if has_hook(value):
            value = said_by(value)
            if has_hook(value):
                value = type_name(value)
        if isinstance(value, enum.Enum):
            value = value.value
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return self._number(value)
        if isinstance(value, str):
            return self._text(value)
        return self._container(value, depth)

    def _container(self, value: object, depth: int) -> object:
        if depth >= _MOST_DEPTH:
            return self._text(f"<{type_name(value)}>")
        try:
            return self._parts(value, depth)
        except Exception as error:  # noqa: BLE001 (anybody's code)
            said = f"<{type_name(value)}; reading it raised {type_name(error)}>"
            return self._text(said)

    def _parts(self, value: object, depth: int) -> object:
        if isinstance(value, _AS_TEXT):
            return self._text(_as_text(value))
        if is_from(value, "numpy", "ndarray", "generic"):
            return self._of_numpy(value, depth)
        if is_frame(value):
            # Its repr would do work, and shows columns that nobody has chosen.
            shape = getattr(value, "shape", "")
            return self._text(f"<{type_name(value)} {shape}>")
        entries = _entries(value, shared=self._writer.secrets is not None)
        if entries is not None:
            return self._dict(entries, depth)
        if issubclass(type(value), _SEQUENCES):
            return self._list(value, depth)
        most = min(max(self._room, 40), _MOST_REPRESENTATION)
        return self._text(self._writer.representation(value, most))

    def _of_numpy(self, value: Foreign, depth: int) -> object:
        if value.dtype.kind in "Mm" and not value.ndim:
            return self._text(str(value))
        if not value.ndim:
            item = value.item()
            # A long double's item is itself.
            known = not is_from(item, "numpy", "generic")
            return self.plain(item if known else float(item), depth + 1)
        return self._list(value, depth)

    def _list(self, items: Foreign, depth: int) -> list[object]:
        result: list[object] = []
        for item in items:
            if self._room <= 0:
                result.append(f"… {len(items) - len(result):,} more")
                break
            result.append(self.plain(item, depth + 1))
        return result

    def _dict(
        self, entries: tuple[int, Iterable[tuple[object, object]]], depth: int
    ) -> dict[str, object]:
        result: dict[str, object] = {}
        secrets = self._writer.secrets
        length, pairs = entries
        for key, value in pairs:
            if self._room <= 0:
                result["…"] = f"{length - len(result):,} more"
                break
            name = self._key(key)
            if name in result:
                name = f"{name} ({type(key).__name__})"
            if secrets is not None and secrets.hides(str(name)):
                result[name] = secrets.left_out()
            else:
                result[name] = self.plain(value, depth + 1)
        return result

    def _key(self, key: object) -> str:
        if isinstance(key, enum.Enum):
            key = key.value
        if isinstance(key, str):
            return self._text(key)
        return self._text(self._writer.representation(key, 200))

    def _text(self, text: str) -> str:
        shown = self._writer.text(text, max(self._room, 40))
        self._room -= len(shown)
        return shown

    def _number(self, value: float) -> object:
        if isinstance(value, int):
            if value.bit_length() > _MOST_INTEGER_BITS:
                return self._text(f"<an integer of {value.bit_length():,} bits>")
            self._room -= value.bit_length() // 3
            return int(value)
        self._room -= 8
        return float(value) if math.isfinite(value) else repr(float(value))


def _entries(
    value: Foreign, *, shared: bool
) -> tuple[int, Iterable[tuple[object, object]]] | None:
    """Return how many named parts a value has, and these; ``None``: it has none.

    Args:
        value: A mapping or a record: a dataclass, a named tuple, a model.
        shared: Leave out what a record keeps out of its own representation.
    """
    kind = cast("Foreign", type(value))
    if issubclass(kind, Mapping):
        return len(value), value.items()
    if callable(getattr(kind, "model_dump", None)):
        fields = getattr(kind, "model_fields", {}) if shared else {}
        dumped = {
            name: part
            for name, part in value.model_dump().items()
            if getattr(fields.get(name), "repr", True)
        }
        return len(dumped), dumped.items()
    if issubclass(kind, msgspec.Struct):
        names = dict(
            zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)
        )
    elif dataclasses.is_dataclass(kind):
        shown = [one for one in dataclasses.fields(kind) if one.repr or not shared]
        names = {field.name: field.name for field in shown}
    elif hasattr(kind, "_fields") and issubclass(kind, tuple):
        names = {name: name for name in value._fields}
    elif hasattr(kind, "__attrs_attrs__"):
        parts = [one for one in kind.__attrs_attrs__ if one.repr or not shared]
        names = {part.name: part.name for part in parts}
    else:
        return None
    return len(names), [(name, getattr(value, own)) for name, own in names.items()]


def _as_text(value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return f"<{counted(len(value), 'byte')}>"
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else str(value)


def _short_number(value: float) -> str:
    whole = value.is_integer() and abs(value) < _MOST_WHOLE
    return f"{value:.1f}" if whole else f"{value:.8g}"


def _json(plain: object) -> str:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
