from __future__ import annotations

from pathlib import Path

import pytest

from scripts.run_tests import PARTS, Part, run

ROOT = Path(__file__).parents[2]
PASSES = "def test_passes():\n    assert True\n"
FAILS = "def test_fails():\n    assert False\n"
HANGS = "import time\n\ndef test_hangs():\n    time.sleep(60)\n"
SEES_CREDENTIAL = """\
import os

def test_sees_no_credential():
    assert "ANTHROPIC_API_KEY" not in os.environ
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run parts in a folder with a configuration of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    Path("pytest.ini").write_text("[pytest]\n", encoding="utf-8")


def part(**files: str) -> Part:
    """Make a part of two folders; each keyword is a file of the first one."""
    for name, content in files.items():
        file = Path("first", f"{name}.py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return Part(folders=("first", "second"), pattern="test_*.py", timeout_s=30)


def test_part_that_passes_reports_its_closing_line() -> None:
    outcome = run(part(test_one=PASSES))

    assert outcome.passed
    assert len(outcome.lines) == 1
    assert "1 passed in" in outcome.lines[0]


def test_part_that_fails_fails() -> None:
    outcome = run(part(test_one=PASSES, test_two=FAILS))

    assert outcome.passed is False
    assert "1 failed, 1 passed in" in outcome.lines[-1]


def test_part_without_folders_is_skipped() -> None:
    assert run(part()).passed is None


def test_part_with_a_folder_without_tests_fails() -> None:
    whole = part(test_one=PASSES)
    Path("second").mkdir()

    outcome = run(whole)

    assert outcome.passed is False
    assert outcome.lines == ("there are no tests in second",)


def test_part_whose_files_hold_no_test_fails() -> None:
    outcome = run(part(test_one=""))

    assert outcome.passed is False
    assert "no tests ran" in outcome.lines[-1]


def test_part_that_hangs_is_killed() -> None:
    whole = part(test_one=HANGS)
    impatient = Part(folders=whole.folders, pattern=whole.pattern, timeout_s=2)

    outcome = run(impatient)

    assert outcome.passed is False
    assert outcome.lines[-1] == "killed after 2 s"
    assert outcome.duration_s < 30


def test_part_never_sees_a_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not for tests")

    assert run(part(test_one=SEES_CREDENTIAL)).passed


def test_each_file_with_tests_is_run_by_one_part() -> None:
    owners: dict[Path, list[str]] = {
        file: [] for file in (ROOT / "tests").rglob("test_*.py")
    }
    for name, whole in PARTS.items():
        ignored = [option.removeprefix("--ignore=") for option in whole.options]
        for file, parts in owners.items():
            path = file.relative_to(ROOT)
            parts += [
                name
                for folder in whole.folders
                if path.is_relative_to(folder)
                and not any(path.is_relative_to(other) for other in ignored)
            ]

    assert len(owners) > 50
    assert {file: parts for file, parts in owners.items() if len(parts) != 1} == {}


def test_part_with_a_program_of_its_own_runs_it_and_reports_its_closing_line() -> None:
    whole = part(test_one=PASSES)
    said = "=== 3 held, 1 too noisy in 2s ==="
    program = Part(
        folders=whole.folders,
        pattern=whole.pattern,
        program=("-c", f"print('so far'); print({said!r}); raise SystemExit(1)"),
        timeout_s=30,
    )

    outcome = run(program)

    assert outcome.passed is False
    assert outcome.lines == (said,)


def test_quick_run_of_the_benchmarks_is_the_last_part_and_has_four_minutes() -> None:
    name = list(PARTS)[-1]

    assert (name, PARTS[name].timeout_s) == ("speed", 240)
    assert PARTS[name].command(coverage=True)[1:] == ["-m", "benchmarks", "--quick"]
