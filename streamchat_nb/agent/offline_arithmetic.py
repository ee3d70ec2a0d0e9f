"""Arithmetic on numbers and nothing else, in bounded time and memory. Pure."""

from __future__ import annotations

import ast
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ArithmeticProblem", "evaluate", "find_expression"]

_LONGEST_EXPRESSION = 200
_LARGEST_BITS = 4096

# The signs of print beside those of a keyboard: times, dot, divided by, minus.
_SIGNS = {
    "\u00d7": "*",
    "\u00b7": "*",
    "\u00f7": "/",
    "\u2212": "-",
    "^": "**",
    ",": "",
}
_PRINTED = "".join(sign for sign in _SIGNS if not sign.isascii())
_ASKED = re.compile(
    r"(?i)\s*(?:(?:what\s+is|what's|how\s+much\s+is|calculate|compute)\b|=)?\s*"
    rf"(?P<expression>[-+*/%^().,\d\s{_PRINTED}]+?)[=?\s]*"
)
_OPERATION = re.compile(rf"[\d)]\s*[-+*/%^{_PRINTED}]+\s*[-+(.\d]")
_OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: lambda left, right: left % right,
    ast.Pow: lambda left, right: left**right,
}


class ArithmeticProblem(Exception):
    """The expression has no result; the text says why, as a sentence."""


def find_expression(text: str) -> str | None:
    """Return the expression that a question asks for, or ``None`` if it asks none."""
    if len(text) > _LONGEST_EXPRESSION:
        return None
    match = _ASKED.fullmatch(text)
    if match is None:
        return None
    expression = match["expression"].strip()
    return expression if _OPERATION.search(expression) else None


def evaluate(expression: str) -> str:
    """Return the value of an expression as text.

    Args:
        expression: Numbers, ``+ - * / // % ^ **``, brackets; at most 200 characters.

    Raises:
        ArithmeticProblem: It is not one of those, has no value, or a too large one.
    """
    if len(expression) > _LONGEST_EXPRESSION:
        raise ArithmeticProblem("This is too long for me.")
    try:
        tree = ast.parse(
            expression.translate(str.maketrans(_SIGNS)).strip(), mode="eval"
        )
        value = _value(tree.body)
    except ZeroDivisionError:
        raise ArithmeticProblem("Division by zero has no result.") from None
    except OverflowError:
        raise ArithmeticProblem("The result is too large for me.") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ArithmeticProblem("I cannot read this as arithmetic.") from None
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ArithmeticProblem("The result is too large for me.")
        return f"{value:.12g}"
    return str(value)


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(
            value, bool
        ):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _apply(op, _value(left), _value(right))
        case _:
            raise ArithmeticProblem("I cannot read this as arithmetic.")


def _apply(op: ast.operator, left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() + right.bit_length()
        if isinstance(op, ast.Pow):
            bits = left.bit_length() * abs(right)
        if bits > _LARGEST_BITS:
            raise OverflowError
    value = _OPERATIONS[type(op)](left, right)
    if isinstance(value, complex):
        raise ArithmeticProblem("The result is not a real number.")
    return value
