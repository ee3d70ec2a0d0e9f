from __future__ import annotations

import pytest

from streamchat_nb.agent.offline_arithmetic import (
    ArithmeticProblem,
    evaluate,
    find_expression,
)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("2+2", "2+2"),
        ("What is 2 + 2?", "2 + 2"),
        ("what's 3*4 = ?", "3*4"),
        ("calculate (1 + 2) / 3", "(1 + 2) / 3"),
        ("how much is 2^10", "2^10"),
        ("= 7 - -1", "7 - -1"),
        ("1,000 * 2", "1,000 * 2"),
        ("2 \u00d7 3", "2 \u00d7 3"),
    ],
)
def test_find_expression_in_questions(text: str, expression: str) -> None:
    assert find_expression(text) == expression


@pytest.mark.parametrize(
    "text",
    ["", "42", "what is love?", "-1", "2 + x", "a+b", "1+1 and more", "1+" * 150 + "1"],
)
def test_find_expression_none(text: str) -> None:
    assert find_expression(text) is None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2+3*4", "14"),
        ("(2+3)*4", "20"),
        ("7/2", "3.5"),
        ("6/3", "2"),
        ("7//2", "3"),
        ("7%4", "3"),
        ("2^10", "1024"),
        ("2**-1", "0.5"),
        ("-3 + +5", "2"),
        ("1,000 * 2", "2000"),
        ("0.1+0.2", "0.3"),
        ("6 \u00f7 4 \u2212 1", "0.5"),
        ("2 \u00d7 3 \u00b7 4", "24"),
        ("10**30", "1" + "0" * 30),
    ],
)
def test_evaluate(expression: str, value: str) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("1/0", "zero"),
        ("1%0", "zero"),
        ("0**-1", "zero"),
        ("9**9**9", "too large"),
        ("10.0**400", "too large"),
        ("1e308*10", "too large"),
        ("2**99999", "too large"),
        ("(-8)**0.5", "not a real number"),
        ("2 +", "cannot read"),
        ("01 + 1", "cannot read"),
        ("__import__('os')", "cannot read"),
        ("True + 1", "cannot read"),
        ("1 if 1 else 2", "cannot read"),
        ("~1", "cannot read"),
        ("1 << 3", "cannot read"),
        ("'a' * 9", "cannot read"),
        ("(" * 99 + "1" + ")" * 99, "1"),
        ("1" * 201, "too long"),
    ],
)
def test_evaluate_refuses_or_stays_small(expression: str, reason: str) -> None:
    if reason == "1":  # deep, and still a number
        assert evaluate(expression) == "1"
        return
    with pytest.raises(ArithmeticProblem, match=reason):
        evaluate(expression)
