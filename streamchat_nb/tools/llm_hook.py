"""``__llm__()``: an object says itself what a model may see of it."""

from __future__ import annotations

import inspect
from typing import Any, cast

from streamchat_nb.tools.libraries import type_name

__all__ = ["has_hook", "said_and_shown", "said_by"]


def has_hook(value: object) -> bool:
    """Say whether the class of ``value`` has the method ``__llm__``.

    The class, as for every method with such a name: an object that makes up its
    attributes has none.
    """
    return callable(getattr(type(value), "__llm__", None))


def said_by(value: object) -> object:
    """Return what ``value.__llm__()`` says to a model: text, a dict, a list.

    A hook that fails says so, in a text that holds nothing of the value: what it
    meant to keep back must not come out by an accident, nor in an exception's words.
    """
    return said_and_shown(value)[0]


def said_and_shown(value: object) -> tuple[object, tuple[object, ...]]:
    """Return what ``value.__llm__()`` says to a model, and what it shows to people."""
    name = type_name(value)
    try:
        answer: object = cast("Any", value).__llm__()
    except Exception as error:  # noqa: BLE001 (anybody's code)
        return f"<{name}; its __llm__() raised {type_name(error)}>", ()
    if inspect.iscoroutine(answer):
        answer.close()
        return f"<{name}; its __llm__() is async, which it must not be>", ()
    if isinstance(answer, tuple):
        said, *shown = cast("tuple[object, ...]", answer) or ("",)
        return said, tuple(shown)
    return answer, ()
