"""Makes every fault happen, many times, and prints one table of what came of it.

    python -m tests.soak [--ci] [--seed N] [--count N] [NAME ...]

The exit code is 1 when anything promised did not hold.
"""

from __future__ import annotations

import argparse
import sys

from tests.soak.faults import FAULTS

SEED = 20_261_122
MOST_SHOWN = 20


def main() -> int:
    """Run the faults that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = [fault.name for fault in FAULTS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--ci", action="store_true", help="as often as in CI")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, help="how often, for each")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in names:
            parser.error(f"there is no fault {name!r}; faults are {', '.join(names)}")

    width = max(map(len, [*names, "fault"]))
    _print(f"seed {arguments.seed}\n")
    _print(f"{'fault':{width}}  {'count':>6}  violations  seconds  figures")
    violations: list[str] = []
    for fault in FAULTS:
        if arguments.names and fault.name not in arguments.names:
            continue
        count = arguments.count or (fault.in_ci if arguments.ci else fault.in_soak)
        outcome = fault.happen(count, arguments.seed)
        figures = ", ".join(
            f"{name} {value}" for name, value in outcome.figures.items()
        )
        _print(
            f"{fault.name:{width}}  {outcome.count:>6}  {len(outcome.violations):>10}  "
            f"{outcome.seconds:>7.1f}  {figures}".rstrip()
        )
        violations += [f"{fault.name}: {words}" for words in outcome.violations]
    if violations:
        _print("", *violations[:MOST_SHOWN])
        if len(violations) > MOST_SHOWN:
            _print(f"… and {len(violations) - MOST_SHOWN} more")
    return 1 if violations else 0


def _print(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)  # noqa: T201 - a program for a terminal


if __name__ == "__main__":
    sys.exit(main())
