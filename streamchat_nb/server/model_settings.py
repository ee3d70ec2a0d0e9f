"""The settings of models and of what they may use, checked when they are given."""

from __future__ import annotations

import math
from typing import Any, cast

import msgspec
from traitlets import TraitError

from streamchat_nb.agent.agent import TurnLimits
from streamchat_nb.agent.prices import Price

__all__ = ["checked_prices", "checked_server_tools", "checked_turn_limits"]

SERVER_TOOLS = ("web_search", "web_fetch", "code_execution")


def checked_server_tools(tools: object) -> list[str | dict[str, Any]]:
    """Return the endpoint's own tools as the setting names them.

    Raises:
        TraitError: One of them is neither known by name nor a definition.
    """
    checked: list[str | dict[str, Any]] = []
    for tool in cast("list[object]", tools):
        if isinstance(tool, dict):
            fields = cast("dict[str, Any]", tool)
            if not isinstance(fields.get("type"), str) or "name" not in fields:
                raise TraitError(
                    f"server_tools: {fields!r} is no definition; it needs a type and "
                    "a name, as in the Messages API."
                )
            checked.append(fields)
        elif isinstance(tool, str) and tool in SERVER_TOOLS:
            checked.append(tool)
        else:
            raise TraitError(
                f"server_tools: there is no {tool!r}; there are "
                f"{', '.join(SERVER_TOOLS)}, and definitions of the Messages API."
            )
    return checked


def checked_prices(prices: object) -> dict[str, Price]:
    """Return the prices by model id.

    Raises:
        TraitError: One of them is not a price.
    """
    checked: dict[str, Price] = {}
    for model, price in cast("dict[str, object]", prices).items():
        where = f"prices: {model!r}"
        known = Price.__dataclass_fields__
        given = cast("dict[str, object]", price) if isinstance(price, dict) else {}
        if unknown := sorted(set(given) - set(known)):
            raise TraitError(
                f"{where}: unknown {', '.join(unknown)}; known are {', '.join(known)}."
            )
        try:
            checked[model] = msgspec.convert(price, Price, strict=False)
        except msgspec.ValidationError as error:
            raise TraitError(
                f"{where}: {error}. Give input and output in US dollars for a million "
                "tokens."
            ) from None
        for name in known:
            value = getattr(checked[model], name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise TraitError(f"{where}: {name} must be a price, and not {value}.")
    return checked


def checked_turn_limits(limits: object) -> TurnLimits:
    """Return the limits of a turn.

    Raises:
        TraitError: There is no such limit, or it is not a number above 0.
    """
    values = dict(cast("dict[str, object]", limits))
    known = TurnLimits.__dataclass_fields__
    if unknown := sorted(set(values) - set(known)):
        raise TraitError(
            f"turn_limits: unknown {', '.join(unknown)}; known are {', '.join(known)}."
        )
    try:
        checked = msgspec.convert(values, TurnLimits, strict=False)
    except msgspec.ValidationError as error:
        raise TraitError(f"turn_limits: {error}") from None
    for name in values:
        value = getattr(checked, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise TraitError(f"turn_limits: {name} must be above 0, and not {value}.")
    return checked
