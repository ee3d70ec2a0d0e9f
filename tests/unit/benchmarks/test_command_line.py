"""``python -m benchmarks``: what is kept of a run of everything, and where."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import __main__ as command_line
from benchmarks.report.record import Record, read_record
from benchmarks.rig.measurement import Axis, Measurement

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.rig.rig import Rig

AXIS = Axis(name="a", title="a", unit="ms")


class Benchmarks:
    """The program with axes of this test, and with a folder of its own.

    Attributes:
        measured: The modules that were asked for figures, in order.
        failing: What those raise that fail.
        published: Records that were put into the docs.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.record, self.partial = folder / "record.json", folder / "partial.json"
        self.measured: list[str] = []
        self.failing: dict[str, BaseException] = {}
        self.published: list[Record] = []
        self._patch = monkeypatch
        for name, value in {
            "axis_modules": lambda: dict(
                map(self._module, ("latency", "capacity", "growth"))
            ),
            "CONTENDERS": (),
            "RECORD": self.record,
            "PARTIAL": self.partial,
            "publish": self.published.append,
        }.items():
            monkeypatch.setattr(command_line, name, value)

    def run(self, *arguments: str) -> int:
        self.measured.clear()
        self._patch.setattr("sys.argv", ["benchmarks", *arguments])
        return command_line.main()

    def names(self, path: Path) -> list[str]:
        return [group.name for group in read_record(path).groups if not group.failure]

    def _module(self, name: str) -> tuple[str, Any]:
        async def measure(_: Rig, *, quick: bool) -> list[Measurement]:
            self.measured.append(name)
            if name in self.failing:
                raise self.failing[name]
            return [Measurement(axis="a", contender="c", values=(1.0 + quick,))]

        return name, SimpleNamespace(__doc__=name, AXES=(AXIS,), measure=measure)


@pytest.fixture
def benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmarks:
    return Benchmarks(tmp_path, monkeypatch)


def test_run_that_is_ended_goes_on_where_it_was(
    benchmarks: Benchmarks, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmarks.failing = {"latency": OSError("no port"), "growth": KeyboardInterrupt()}
    with pytest.raises(SystemExit) as ended:
        benchmarks.run()

    assert ended.value.code == command_line.ENDED_EARLY
    assert "--resume" in capsys.readouterr().out
    assert benchmarks.names(benchmarks.partial) == ["capacity"]
    assert not benchmarks.record.exists()

    benchmarks.failing = {}
    assert benchmarks.run("--resume") == 0

    assert benchmarks.measured == ["latency", "growth"]
    assert benchmarks.names(benchmarks.record) == ["latency", "capacity", "growth"]
    assert benchmarks.published == [read_record(benchmarks.record)]
    assert not benchmarks.partial.exists()


def test_run_that_is_ended_can_be_published_as_far_as_it_came(
    benchmarks: Benchmarks,
) -> None:
    assert benchmarks.run("--repeats", "1") == 0
    before = read_record(benchmarks.record)
    benchmarks.failing = {"capacity": KeyboardInterrupt()}
    with pytest.raises(SystemExit):
        benchmarks.run()

    assert benchmarks.run("--publish") == 0

    after = read_record(benchmarks.record)
    assert benchmarks.measured == []
    assert after.groups[1:] == before.groups[1:]
    assert after.groups[0] == read_record(benchmarks.partial).groups[0]
    assert benchmarks.published[-1] == after


def test_axis_that_fails_leaves_a_record_of_the_others_and_is_told(
    benchmarks: Benchmarks, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmarks.failing = {"capacity": OSError("no port")}

    assert benchmarks.run() == 1

    assert benchmarks.names(benchmarks.record) == ["latency", "growth"]
    assert "capacity failed: OSError: no port" in capsys.readouterr().out


def test_nothing_can_go_on_where_no_run_has_ended_early(
    benchmarks: Benchmarks, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        benchmarks.run("--resume")

    assert "no run has ended early" in capsys.readouterr().err
