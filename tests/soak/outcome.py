"""A fault that is made on purpose, and what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fault", "Outcome"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a fault.

    Attributes:
        fault: The fault's name.
        count: How often it really happened.
        violations: Every promise that did not hold, in words.
        figures: What was measured, with its unit, by name.
        seconds: How long it took.
    """

    fault: str
    count: int
    violations: list[str] = field(default_factory=list[str])
    figures: dict[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: Its name, as in the table.
        in_ci: How often it happens in every run of the tests.
        in_soak: How often it happens in ``make soak``.
        run: Makes it happen ``count`` times, by ``seed``: ``run(count, seed)``. Brings
            its own event loop, processes and folders, and leaves none behind.
        needs_browser: Whether it needs Chromium; the browser tests run it then.
    """

    name: str
    in_ci: int
    in_soak: int
    run: Callable[[int, int], Outcome]
    needs_browser: bool = False

    def happen(self, count: int, seed: int) -> Outcome:
        """Run it; an end by an error, or before ``count``, is a violation."""
        started = time.monotonic()
        try:
            outcome = self.run(count, seed)
        except Exception as error:  # noqa: BLE001 - told in the table, with the others
            violation = f"it broke off: {_in_words(error)}"
            outcome = Outcome(fault=self.name, count=0, violations=[violation])
        else:
            if outcome.count < count:
                early = f"it happened {outcome.count} times in place of {count}"
                outcome = replace(outcome, violations=[*outcome.violations, early])
        return replace(outcome, seconds=time.monotonic() - started)


def _in_words(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        errors = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return "; ".join(map(_in_words, errors))
    return f"{type(error).__name__}: {error}"
