from __future__ import annotations

import asyncio
from collections import Counter

from streamchat_nb.server.heartbeat import PLACES, Heartbeat


class Patient:
    def __init__(self, beats: Counter[Patient]) -> None:
        self._beats = beats

    def beat(self) -> None:
        self._beats[self] += 1


def test_each_is_pinged_once_in_an_interval_and_few_at_a_time() -> None:
    async def scenario() -> None:
        beats: Counter[Patient] = Counter()
        heartbeat = Heartbeat(interval_s=3600.0)
        patients = [Patient(beats) for _ in range(5 * PLACES)]
        for patient in patients:
            heartbeat.add(patient)
        for _ in range(PLACES // 2):
            heartbeat._beat()
        assert beats.total() == 0
        for step in range(1, PLACES // 2 + 1):
            heartbeat._beat()
            assert beats.total() == 10 * step
        assert beats == Counter(patients)
        for patient in patients:
            heartbeat.discard(patient)

    asyncio.run(scenario())


def test_who_has_left_is_pinged_no_more() -> None:
    async def scenario() -> None:
        beats: Counter[Patient] = Counter()
        heartbeat = Heartbeat(interval_s=3600.0)
        stays, leaves = Patient(beats), Patient(beats)
        heartbeat.add(stays)
        heartbeat.add(leaves)
        heartbeat.discard(leaves)
        heartbeat.discard(leaves)
        for _ in range(2 * PLACES):
            heartbeat._beat()
        assert beats == Counter({stays: 2})
        heartbeat.discard(stays)

    asyncio.run(scenario())


def test_who_leaves_when_its_turn_comes_disturbs_nobody() -> None:
    async def scenario() -> None:
        heartbeat = Heartbeat(interval_s=3600.0)
        left: list[object] = []

        class Leaving:
            def beat(self) -> None:
                left.append(self)
                heartbeat.discard(self)

        for _ in range(2 * PLACES):
            heartbeat.add(Leaving())
        for _ in range(PLACES):
            heartbeat._beat()
        assert len(left) == 2 * PLACES
        assert len(heartbeat) == 0

    asyncio.run(scenario())


def test_clock_runs_only_while_there_is_somebody() -> None:
    async def scenario() -> None:
        beats: Counter[Patient] = Counter()
        heartbeat = Heartbeat(interval_s=0.01)
        patient = Patient(beats)
        heartbeat.add(patient)
        async with asyncio.timeout(10):
            while not beats[patient]:
                await asyncio.sleep(0)
        heartbeat.discard(patient)
        assert heartbeat._timer is None

    asyncio.run(scenario())
