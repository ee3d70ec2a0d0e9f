"""Data that somebody shares on purpose: which there is, and exactly what leaves.

The browser asks over the widget's channel and shows the text before it is sent; what
is sent is that text.
"""

from __future__ import annotations

import functools
import logging
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

import msgspec

from streamchat_nb.errors import UsageError
from streamchat_nb.tools.data_digest import describe_data
from streamchat_nb.tools.libraries import type_name
from streamchat_nb.tools.namespace import user_variables
from streamchat_nb.tools.secret_filter import SecretFilter
from streamchat_nb.tools.value_text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamchat_nb.widget.kernel_channel import KernelMessage

__all__ = ["DataSharing", "shape_text", "shareable_variables"]

logger = logging.getLogger(__name__)

_MOST_NAMES = 50
_MOST_NAME = 200
_MOST_ROWS = 50
_MOST_COLUMNS = 5_000
_MOST_DIMENSIONS = 8
_TIMES = "\u00d7"
_SIZED = (list, tuple, set, frozenset, dict, str, bytes, bytearray)

_Id: TypeAlias = Annotated[str, msgspec.Meta(max_length=64)]
_Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=_MOST_NAME)]


class _AskNames(msgspec.Struct, frozen=True, tag="names"):
    """Which variables there are whose names have ``prefix`` in them."""

    question: _Id
    prefix: _Name = ""


class _AskDigest(msgspec.Struct, frozen=True, tag="digest"):
    """What may be shared of a variable; ``columns`` absent: all but secret ones."""

    question: _Id
    name: _Name
    columns: Annotated[list[str], msgspec.Meta(max_length=_MOST_COLUMNS)] | None = None
    rows: Annotated[int, msgspec.Meta(ge=0, le=_MOST_ROWS)] = 5


class DataSharing:
    """Answers the browser's questions about the notebook's data.

    Every question has an id in ``question`` and gets one answer with it: of its own
    ``type``, or of type ``error`` with a ``code`` and a ``message`` for people. Safe
    from any thread; nothing is kept.

    Args:
        send: Sends an answer to the browser.
        namespace: Returns the notebook's names.
    """

    def __init__(
        self,
        send: Callable[[KernelMessage], None],
        namespace: Callable[[], Mapping[str, object]],
    ) -> None:
        self._send = send
        self._namespace = namespace

    def take(self, message: KernelMessage) -> None:
        """Answer a question; one that is none is dropped."""
        try:
            question = msgspec.convert(message, _AskNames | _AskDigest)
        except msgspec.ValidationError as error:
            logger.debug("No question about data: %s", error)
            return
        try:
            answer = self._answer(question)
        except UsageError as error:
            answer = {"type": "error", "code": error.code, "message": error.message}
        self._send({**answer, "question": question.question})

    def _answer(self, question: _AskNames | _AskDigest) -> KernelMessage:
        variables = shareable_variables(self._namespace())
        if isinstance(question, _AskNames):
            return {"type": "names", "names": _names(variables, question.prefix)}
        if question.name not in variables:
            return {
                "type": "error",
                "code": "not_found",
                "message": f"There is no variable {question.name} any more.",
            }
        return _digest(question, variables[question.name])


def shareable_variables(namespace: Mapping[str, object]) -> dict[str, object]:
    """Return what the user has made and may share: no class, no function."""
    no_data = (type, FunctionType, BuiltinFunctionType, MethodType)
    return {
        name: value
        for name, value in user_variables(namespace).items()
        if not isinstance(value, no_data)
    }


def shape_text(value: object) -> str:
    """Return how large a value is, for people: ``12 items``, or ``""``.

    An array or a frame has its ``shape``, with the sign for "times" between the
    numbers. Nothing of the value is read but its length or ``shape``.
    """
    try:
        if isinstance(value, _SIZED):
            noun = "character" if isinstance(value, str) else "item"
            return counted(len(cast("Any", value)), noun)
        shape = tuple(int(length) for length in cast("Any", value).shape)
    except Exception:  # noqa: BLE001 (anybody's attribute, or one that is not there)
        return ""
    if len(shape) == 1:
        return counted(shape[0], "value")
    return f" {_TIMES} ".join(f"{length:,}" for length in shape[:_MOST_DIMENSIONS])


def _names(variables: dict[str, object], prefix: str) -> list[dict[str, str]]:
    """Return the variable ``prefix``, then those that begin so, then others with it.

    At most 50, of each group the latest first.
    """
    wanted = prefix.lower()
    latest = list(reversed(variables))
    beginning = [name for name in latest if name.lower().startswith(wanted)]
    within = [name for name in latest if wanted in name.lower()[1:]]
    same = [name for name in (prefix,) if name in variables]
    found = dict.fromkeys([*same, *beginning, *within])
    return [
        {"name": name, **_kind(variables[name])} for name in islice(found, _MOST_NAMES)
    ]


def _kind(value: object) -> dict[str, str]:
    return {"kind": type_name(value).rpartition(" ")[2], "shape": shape_text(value)}


def _digest(question: _AskDigest, value: object) -> KernelMessage:
    describe = functools.partial(
        describe_data, value, name=question.name, rows=question.rows
    )
    try:
        digest = describe(columns=question.columns)
    except UsageError:
        # The frame has changed since: only what was allowed and is there still.
        there = {column.name for column in describe(columns=None).columns}
        digest = describe(columns=there.intersection(question.columns or ()))
    columns = [
        {
            "name": column.name,
            "dtype": column.dtype,
            "included": column.included,
            "secret": SecretFilter.hides(column.name),
        }
        for column in digest.columns
    ]
    return {
        "type": "digest",
        "name": digest.name,
        "text": digest.text,
        **_kind(value),
        "columns": columns,
    }
