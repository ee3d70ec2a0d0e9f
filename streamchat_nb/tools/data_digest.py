"""A digest of an object: exactly what leaves the machine when somebody shares it.

The text is made from the columns that are allowed and from nothing else: a column
that is left out is not there any more when it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from streamchat_nb.errors import UsageError
from streamchat_nb.tools.arrays import array_table
from streamchat_nb.tools.libraries import is_from, type_name
from streamchat_nb.tools.llm_hook import has_hook, said_by
from streamchat_nb.tools.secret_filter import SecretFilter
from streamchat_nb.tools.tables import table_text
from streamchat_nb.tools.value_text import ValueText, cut
from streamchat_nb.tools.values import (
    MOST_TEXT,
    is_used_up_by_reading,
    table_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from streamchat_nb.tools.libraries import Foreign
    from streamchat_nb.tools.tables import Table

__all__ = ["Digest", "DigestColumn", "describe_data"]

_MOST_NAME = 80
_MOST_DTYPE = 60
_LEAST_LIMIT = 400
_MOST_COLUMNS_NAMED = 20
_NOTE = "(Parts that look like secrets were left out.)"


@dataclass(frozen=True, kw_only=True)
class DigestColumn:
    """A column that can be allowed or denied.

    Attributes:
        name: Its label, unique; what ``describe_data`` takes in ``columns``.
        dtype: Its type.
        included: The digest tells of it.
        reason: Why it does not: ``denied`` by whoever chose the columns, ``secret``
            by its name.
    """

    name: str
    dtype: str
    included: bool
    reason: Literal["", "denied", "secret"] = ""


@dataclass(frozen=True, kw_only=True)
class Digest:
    """What is shared of an object.

    Attributes:
        name: The name it has in the notebook.
        text: Exactly what leaves the machine.
        columns: All columns, also those that are left out; empty for what has none.
        has_secrets: Something that looks like a secret was left out, which the text
            says as well.
    """

    name: str
    text: str
    columns: tuple[DigestColumn, ...] = ()
    has_secrets: bool = False


def describe_data(
    value: object,
    *,
    name: str,
    columns: Collection[str] | None = None,
    rows: int = 5,
    limit: int = MOST_TEXT,
) -> Digest:
    """Return what may be shared of an object: schema, statistics, first rows.

    Columns that are not allowed appear nowhere in the text. Texts that look like
    secrets are left out always, and columns whose names say so unless they are
    allowed by name. An object with ``__llm__`` says itself what may be seen.

    Args:
        value: Anything: a frame of pandas or polars, an array, a dict, an object.
        name: Its name in the notebook.
        columns: The labels of the columns that are allowed; ``None`` allows all but
            those whose names say that they hold a secret.
        rows: How many of the first rows; 0 for none.
        limit: Most characters of the text, at least 400.

    Raises:
        UsageError: ``columns`` names one that there is not, or the value has none.
    """
    secrets = SecretFilter()
    writer = ValueText(secrets)
    shown_name = writer.cell(name, _MOST_NAME)
    room = max(limit, _LEAST_LIMIT) - len(shown_name) - len(_NOTE) - 4
    if has_hook(value):
        value = said_by(value)
    described: tuple[DigestColumn, ...] = ()
    table = _table(value, writer)
    if isinstance(table, str):
        text = table
    elif table is not None:
        described = _described(table, secrets, columns)
        labels = {column.name for column in described if column.included}
        text = table_text(table.only(labels), writer, rows=rows, limit=room)
    elif columns is not None:
        raise UsageError(f"{shown_name} is a {type_name(value)} and has no columns.")
    elif secrets.hides(name):
        text = secrets.left_out()
    else:
        text = _text(value, writer, limit=room)
    # Once more over all of it: pieces that were harmless may not be so together.
    text = cut(secrets.without_secrets(f"{shown_name}: {text}"), room + len(shown_name))
    has_secrets = secrets.found or any(c.reason == "secret" for c in described)
    if has_secrets:
        text = f"{text}\n\n{_NOTE}"
    return Digest(name=name, text=text, columns=described, has_secrets=has_secrets)


def _table(value: object, writer: ValueText) -> Table | str | None:
    """Return a table, a text where its library fails, or ``None``: it is none."""
    try:
        if is_from(value, "numpy", "ndarray") and cast("Foreign", value).dtype.names:
            return array_table(value, writer)
        return table_of(value, writer)
    except Exception as error:  # noqa: BLE001 (a library's code, on any data)
        return f"{type_name(value)}; describing it raised {type_name(error)}"


def _text(value: object, writer: ValueText, *, limit: int) -> str:
    if has_hook(value):
        return type_name(value)  # what a hook said has one itself
    if is_used_up_by_reading(value):
        return f"{type_name(value)}; not read, as its values come only once"
    try:
        return text_of(value, writer, limit=limit)
    except Exception as error:  # noqa: BLE001 (a library's code, on any data)
        return f"{type_name(value)}; describing it raised {type_name(error)}"


def _described(
    table: Table, secrets: SecretFilter, allowed: Collection[str] | None
) -> tuple[DigestColumn, ...]:
    labels = [column.label for column in table.columns]
    unknown = [] if allowed is None else sorted(set(allowed) - set(labels))
    if unknown:
        there = ", ".join(map(repr, labels[:_MOST_COLUMNS_NAMED]))
        raise UsageError(f"There is no column {unknown[0]!r}; there are: {there}.")
    described: list[DigestColumn] = []
    for column in table.columns:
        reason: Literal["", "denied", "secret"] = ""
        if allowed is not None and column.label not in allowed:
            reason = "denied"
        elif allowed is None and secrets.hides(column.label):
            reason = "secret"
        described.append(
            DigestColumn(
                name=column.label,
                dtype=cut(column.dtype, _MOST_DTYPE),
                included=not reason,
                reason=reason,
            )
        )
    return tuple(described)
