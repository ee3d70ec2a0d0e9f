"""The rig, with the real product: what a benchmark says is what happened."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.rig.contenders import CONTENDERS, OURS, Launch, Place
from benchmarks.rig.load import Load, LoadResult
from benchmarks.rig.rig import Rig

if TYPE_CHECKING:
    from benchmarks.rig.rig import Server

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the rig pins processes and reads /proc"
)

RELAY = next(one for one in CONTENDERS if one.name == "minimal relay")
PRODUCT = next(one for one in CONTENDERS if one.name == OURS)
EACH = Load(clients=3, deltas=20, warm_up_s=0.3, measured_s=0.5)
SHARED = Load(
    clients=3, conversations="shared", deltas=20, warm_up_s=0.3, measured_s=0.5
)


async def loaded(rig: Rig, server: Server, load: Load) -> LoadResult:
    """Load it; again, where its first answer takes longer than that."""
    for _ in range(20):
        result = await rig.load(server, load)
        if result.tokens:
            return result
    raise AssertionError("no token arrived")


def test_rig_tells_what_each_contender_did() -> None:
    async def main() -> None:
        async with Rig([PRODUCT, RELAY]) as rig, rig.all_running() as servers:
            assert rig.missing == {}
            results = [
                await loaded(rig, server, load)
                for server in servers
                for load in (EACH, SHARED)
            ]
        assert len(results) == 4
        for result in results:
            assert result.errors == {}
            assert result.connected == 3
            assert result.wire_bytes > result.tokens * len("~123456789~")
            assert result.frames > 0
            assert len(result.token_ms) == 201
            assert result.token_ms[0] > 0
            assert result.token_ms == sorted(result.token_ms)
            assert result.resident_bytes > 1_000_000

    asyncio.run(main())


def test_contender_that_does_not_start_is_left_out_with_what_it_said() -> None:
    def launch(place: Place) -> Launch:
        del place
        command = [sys.executable, "-c", "raise SystemExit('out of luck')"]
        return Launch(command=command, environment={})

    async def main() -> None:
        broken = replace(RELAY, name="broken", launch=launch)
        async with Rig([broken, RELAY]) as rig, rig.all_running() as servers:
            assert [one.contender.name for one in servers] == ["minimal relay"]
            assert "out of luck" in rig.missing["broken"]

    asyncio.run(main())
