"""Where does each microsecond of a token's way go, layer by layer?

Two answers. *At work*: the real server, many conversations at a real rate, and a look
at what it is doing for each few milliseconds of its CPU time. *Hot*: the code of one
layer alone, again and again in this process, the best of several rounds. What lies
between the two is what it costs to be woken for each token.

    python -m benchmarks.token_profile --conversations 40 --seconds 15
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.report.machine import machine, now, versions
from benchmarks.report.token_table import (
    EXPLANATION,
    AtWork,
    Profile,
    filled,
    tables,
    write_profile,
)
from benchmarks.rig.contenders import CONTENDERS, OURS, Launch
from benchmarks.rig.load import Load
from benchmarks.rig.rig import Rig
from benchmarks.suite import end_when_told
from benchmarks.token_way.hot import hot_us
from benchmarks.token_way.layers import LAYERS
from benchmarks.token_way.samples import VARIABLE

if TYPE_CHECKING:
    from benchmarks.rig.contenders import Contender, Place

ROOT = Path(__file__).parents[1]
RATE_PER_S = 80.0
LONGEST_ANSWER_S = 120.0
LOOK_EVERY_S = 0.5
"""Samples are written as often."""
SETTLE_S = 1.0
"""The load client ends so long after what it measures, at most."""
_EXTENSIONS = "{'streamchat_nb': True"
SAMPLER = "benchmarks.token_way.samples"


class Samples(msgspec.Struct):
    """What the server extension wrote."""

    samples: int
    cpu_s: dict[str, float]


def main() -> None:
    """Measure as the command line says; print tables, and keep them with --keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--conversations", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--keep", action="store_true", help="and into the docs")
    arguments = parser.parse_args()
    working = asyncio.run(_at_work(arguments.conversations, arguments.seconds))
    profile = Profile(
        command=shlex.join(["python", "-m", __spec__.name, *sys.argv[1:]]),
        date=now(),
        machine=machine(),
        versions=versions(),
        conversations=arguments.conversations,
        rate_per_s=RATE_PER_S,
        at_work=working,
        hot_us=hot_us(),
    )
    print(tables(profile))  # noqa: T201 - what it is for
    if arguments.keep:
        write_profile(profile)
        page = EXPLANATION.read_text(encoding="utf-8")
        EXPLANATION.write_text(filled(page, profile), encoding="utf-8")


async def _at_work(conversations: int, seconds: float) -> AtWork:
    """Let the real server stream at a real rate; return where its time went."""
    end_when_told()
    ours = next(one for one in CONTENDERS if one.name == OURS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.json"
        rig = Rig([_sampled(ours, path)], repeats=1)
        async with rig, rig.running(rig.contenders[0]) as server:
            # Once before: what is imported and opened with the first requests.
            await rig.load(server, _load(conversations, 2.0))
            watching = asyncio.create_task(_watched(path))
            result = await rig.load(server, _load(conversations, seconds))
            watching.cancel()
            seen = await watching
    # What was measured are the last seconds; before them the clients began to ask.
    inside = seen[-max(2, round((seconds - SETTLE_S) / LOOK_EVERY_S)) :]
    before, after = inside[0], inside[-1]
    layers_s = {
        layer: after.cpu_s.get(layer, 0.0) - before.cpu_s.get(layer, 0.0)
        for layer in LAYERS
    }
    cpu_us = result.server_cpu_s / result.tokens * 1e6
    whole_s = sum(layers_s.values())
    return AtWork(
        tokens_per_s=round(result.tokens_per_s),
        frames=round(result.frames / result.tokens, 2),
        cpu_us=round(cpu_us, 1),
        samples=after.samples - before.samples,
        layers_us={
            layer: round(cpu_us * used_s / whole_s, 1)
            for layer, used_s in layers_s.items()
        },
        others_cores=round(result.foreign_cpu_s / result.measured_s, 2),
    )


def _sampled(contender: Contender, path: Path) -> Contender:
    """Return a contender that writes samples of itself to a file."""
    plain = contender.launch
    assert plain is not None  # noqa: S101 - for the type checker

    def launch(place: Place) -> Launch:
        launched = plain(place)
        more = f"{_EXTENSIONS}, '{SAMPLER}': True"
        return Launch(
            command=[part.replace(_EXTENSIONS, more) for part in launched.command],
            environment={
                **launched.environment,
                "PYTHONPATH": str(ROOT),
                VARIABLE: str(path),
            },
        )

    return replace(contender, launch=launch)


def _load(conversations: int, seconds: float) -> Load:
    return Load(
        clients=conversations,
        rate_per_s=RATE_PER_S,
        deltas=round(RATE_PER_S * LONGEST_ANSWER_S),  # nobody asks a second time
        warm_up_s=2.0,
        measured_s=seconds,
    )


async def _watched(path: Path) -> list[Samples]:
    """Look at the file, again and again until cancelled; return what was there."""
    seen: list[Samples] = []
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            written = await asyncio.to_thread(path.read_bytes)
            seen.append(msgspec.json.decode(written, type=Samples))
    return seen


if __name__ == "__main__":
    main()
