"""Runs the tests in the processes they need and sums up at the end.

Usage: ``python scripts/run_tests.py [--coverage] [PART ...]``, from the root of the
repository; without parts it runs them all. pytest-playwright and pytest-jupyter each
bring an event loop and cannot share a process, and notebooks have a runner of their
own; so has the quick run of the benchmarks, which comes last. Every part runs, also
after a failed one. The exit code is 0 when every part that has a folder passed. A
folder without tests is a failure: nothing would tell otherwise that its tests are gone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

CLOSING_LINE = re.compile(
    r"^(=+ .*\bin [\d.]+s.*=+|\s*(Test Files|Tests)\s+\d.*|ERROR: .*)$"
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Each part adds to what was measured; how much is enough is asked at the end.
MEASURING = ("--cov", "--cov-append", "--cov-report=", "--cov-fail-under=0")
# Two processes, which mostly wait: for servers, kernels and browsers to start.
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile")
# Browsers, kernels and servers on two processors: what fails is tried once more, and
# the closing line counts it. Nowhere else: what fails there is wrong.
ONCE_MORE = ("--reruns=1", "-rfEsR")
# Tests must not spend anybody's money: they never see a credential.
CREDENTIAL_PREFIXES = ("ANTHROPIC_", "CLAUDE_", "AWS_BEARER_TOKEN_BEDROCK")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Tests that run in one process.

    Attributes:
        folders: Where they are. Those that do not exist are left out.
        pattern: What a file with tests is called.
        timeout_s: Seconds after which the process and its children are killed.
        options: Options of pytest.
        program: Arguments of Python that run the tests without pytest; empty: pytest
            does.
    """

    folders: tuple[str, ...]
    pattern: str
    timeout_s: float
    options: tuple[str, ...] = ()
    program: tuple[str, ...] = ()

    def present(self) -> list[str]:
        """Return the folders that exist."""
        return [folder for folder in self.folders if Path(folder).is_dir()]

    def empty(self) -> list[str]:
        """Return the folders that exist and hold no file with tests."""
        return [
            folder
            for folder in self.present()
            if not any(Path(folder).rglob(self.pattern))
        ]

    def command(self, *, coverage: bool) -> list[str]:
        """Return the command that runs the tests of the folders that exist."""
        if self.program:
            return [sys.executable, *self.program]
        colour = "yes" if sys.stdout.isatty() else "no"
        measuring = MEASURING if coverage else ()
        return [
            *(sys.executable, "-m", "pytest", f"--color={colour}"),
            *(*measuring, *self.options, *self.present()),
        ]


PARTS = {
    "core": Part(
        folders=(
            "tests/unit",
            "tests/property",
            "tests/contracts",
            "tests/docs",
            "tests/typing",
        ),
        pattern="test_*.py",
        options=("-p", "no:playwright", *SIDE_BY_SIDE),
        timeout_s=1_200,
    ),
    "integration": Part(
        folders=("tests/integration",),
        pattern="test_*.py",
        options=(
            *("-p", "no:playwright", "--ignore=tests/integration/faults"),
            *("-m", "not slow"),
            *SIDE_BY_SIDE,
        ),
        timeout_s=1_200,
    ),
    "faults": Part(
        folders=("tests/integration/faults", "tests/soak"),
        pattern="test_*.py",
        options=(
            *("-p", "no:playwright", "--timeout=300", "-m", "not slow"),
            *("-n", "2"),
        ),
        timeout_s=1_200,
    ),
    "browser": Part(
        folders=("tests/browser",),
        pattern="test_*.py",
        options=("--timeout=240", *ONCE_MORE, *SIDE_BY_SIDE),
        timeout_s=1_200,
    ),
    "notebooks": Part(
        folders=("notebooks",),
        pattern="*.ipynb",
        options=("-p", "no:playwright", "--nbval-lax", "--nbval-current-env"),
        timeout_s=1_200,
    ),
    "frontend": Part(
        folders=("frontend/tests",),
        pattern="*.test.ts",
        program=("hatch_build.py", "run", "test"),
        timeout_s=1_200,
    ),
    "speed": Part(
        folders=("benchmarks/axes",),
        pattern="*.py",
        program=("-m", "benchmarks", "--quick"),
        timeout_s=240,
    ),
}


@dataclass(frozen=True)
class Outcome:
    """How a part ended.

    Attributes:
        passed: Whether all its tests passed; ``None`` where there are none.
        lines: What to say about it: the closing lines of its runner, a reason.
        duration_s: How long it took.
    """

    passed: bool | None
    lines: tuple[str, ...]
    duration_s: float = 0.0


def main() -> int:
    """Run the parts that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--coverage", action="store_true", help="measure coverage")
    arguments = parser.parse_args()
    names: list[str] = arguments.parts or list(PARTS)
    for name in names:
        if name not in PARTS:
            parser.error(f"there is no part {name!r}; parts are {', '.join(PARTS)}")
    outcomes = {name: run(PARTS[name], coverage=arguments.coverage) for name in names}
    report(outcomes)
    ran = [outcome for outcome in outcomes.values() if outcome.passed is not None]
    return 0 if ran and all(outcome.passed for outcome in ran) else 1


def run(part: Part, *, coverage: bool = False) -> Outcome:
    """Run one part, its output on ours; kill what its tests left running."""
    if not part.present():
        return Outcome(None, (f"there is no {' or '.join(part.folders)}",))
    if part.empty():
        lines = (f"there are no tests in {' and '.join(part.empty())}",)
        return Outcome(passed=False, lines=lines)
    command = part.command(coverage=coverage)
    print(f"\n$ {' '.join(command)}", flush=True)
    started = time.monotonic()
    with subprocess.Popen(
        command,
        env=_environment(),
        errors="replace",
        start_new_session=True,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        over = threading.Event()
        timer = threading.Timer(part.timeout_s, _end, [process, over])
        timer.start()
        try:
            closing = _pass_on(process)
            exit_code = process.wait()
        finally:
            timer.cancel()
            _kill_group(process)
    if over.is_set():
        closing += (f"killed after {part.timeout_s:.0f} s",)
    passed = exit_code == 0 and not over.is_set()
    if not passed and not closing:
        closing = (f"exit code {exit_code}; the reason is in its output above",)
    return Outcome(passed, closing, time.monotonic() - started)


def _pass_on(process: subprocess.Popen[str]) -> tuple[str, ...]:
    """Print the output as it comes; return the runner's closing lines."""
    closing: list[str] = []
    for line in process.stdout or ():
        print(line, end="", flush=True)
        plain = COLOUR.sub("", line).rstrip()
        if CLOSING_LINE.match(plain):
            closing.append(plain.strip())
    return tuple(closing)


def _end(process: subprocess.Popen[str], over: threading.Event) -> None:
    over.set()
    _kill_group(process)


def _kill_group(process: subprocess.Popen[str]) -> None:
    """Kill the process and all that it started and did not end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(CREDENTIAL_PREFIXES)
    }


def report(outcomes: dict[str, Outcome]) -> None:
    """Print one block per part: its name, how it ended, its closing lines."""
    print("\n--- all parts ---")
    words = {True: "passed", False: "FAILED", None: "skipped"}
    for name, outcome in outcomes.items():
        took = f" in {outcome.duration_s:.0f} s" if outcome.duration_s else ""
        print(f"{name}: {words[outcome.passed]}{took}")
        for line in outcome.lines:
            print(line)


if __name__ == "__main__":
    sys.exit(main())
