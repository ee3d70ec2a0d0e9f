from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from benchmarks.axes.capacity import Search
from benchmarks.rig.contenders import CONTENDERS
from benchmarks.rig.load import Load, LoadResult
from benchmarks.rig.rig import Server
from benchmarks.rig.rounds import Rounds

if TYPE_CHECKING:
    from benchmarks.rig.rig import Rig

SERVER = Server(
    contender=CONTENDERS[0], port=1, token="", process=None, ready_after_s=0.0
)


class LoadsOf:
    """A rig whose one contender carries so many conversations, and none more."""

    repeats = 3

    def __init__(self, carried: int, share_of_fifty: float) -> None:
        self.carried = carried
        self.share_of_fifty = share_of_fifty

    async def load(self, server: Server, load: Load) -> LoadResult:
        assert server is SERVER
        return self.result(load.clients)

    def result(self, clients: int) -> LoadResult:
        is_late = clients > self.carried
        return LoadResult(
            connected=clients,
            connect_s=0.1,
            connect_cpu_s=0.1,
            tokens=80 * clients,
            wanted_tokens=80.0 * clients,
            token_ms=[500.0 if is_late else 5.0] * 201,
            measured_s=1.0,
            server_cpu_s=self.share_of_fifty * clients / 50,
        )


@pytest.mark.parametrize(
    ("carried", "share_of_fifty"), [(60, 0.7), (70, 0.7), (300, 0.25), (150, 0.25)]
)
def test_search_finds_what_is_carried(carried: int, share_of_fifty: float) -> None:
    rig = LoadsOf(carried, share_of_fifty)
    rounds = Rounds(server=SERVER, results=[rig.result(50)])
    search = Search(cast("Rig", cast("Any", rig)), rounds)

    async def main() -> None:
        await search.run()
        await search.repeat()

    asyncio.run(main())
    values = search.measurement().values
    assert len(values) == 2
    assert 0.87 * carried * 80 <= max(values) <= carried * 80


def test_search_without_a_carried_load_says_so() -> None:
    rig = LoadsOf(0, 0.5)
    rounds = Rounds(server=SERVER, results=[rig.result(50)])
    search = Search(cast("Rig", cast("Any", rig)), rounds)
    asyncio.run(search.run())
    measurement = search.measurement()
    assert measurement.values == ()
    assert "no load was carried" in str(measurement.detail["failure"])
