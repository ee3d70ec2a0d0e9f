"""The layers of a token's way: which code is whose, and whose time is noted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.report.token_table import (
    EXPLANATION,
    AtWork,
    Profile,
    filled,
    read_profile,
    write_profile,
)
from benchmarks.token_way.layers import CALLER, LAYERS, OTHER, RULES, layer_of
from benchmarks.token_way.samples import Sampler

ROOT = Path(__file__).parents[3]
LOG = "/x/streamchat_nb/conversation/log.py"
CPU_S = 0.15


@pytest.mark.parametrize(
    ("stack", "layer"),
    [
        ([("/x/streamchat_nb/agent/event_stream.py", "feed")], "split"),
        ([(LOG, "append_delta"), (LOG, "_run")], "append"),
        ([(LOG, "_append_of"), (LOG, "_commit")], "commit"),
        ([(LOG, "publish"), (LOG, "_commit")], "publish and fold"),
        ([("/lib/json/encoder.py", "encode"), (LOG, "stream")], "frame"),
        ([("/lib/asyncio/events.py", "_run")], "event loop"),
        ([("/lib/asyncio/selector_events.py", "_read_ready__on_eof")], "read"),
        ([("/lib/json/encoder.py", "encode"), ("/x/main.py", "main")], OTHER),
        ([(LOG, "head"), ("/x/streamchat_nb/server/delivery.py", "run")], "frame"),
        ([], OTHER),
    ],
)
def test_code_works_for_the_innermost_layer_that_has_it(
    stack: list[tuple[str, str]], layer: str
) -> None:
    assert layer_of(stack) == layer


def test_layers_of_rules_are_those_that_there_are() -> None:
    assert {layer for _, _, layer in RULES} - {CALLER} | {OTHER} == set(LAYERS)


def test_each_layer_of_this_product_has_code_that_exists() -> None:
    files = [
        Path(f"/{path.relative_to(ROOT)}")
        for path in ROOT.glob("streamchat_nb/**/*.py")
    ]
    ours = {
        (files_, layer) for files_, _, layer in RULES if "/streamchat_nb/" in files_
    }
    found = {
        layer for pattern, layer in ours if any(file.match(pattern) for file in files)
    }

    assert found == {layer for _, layer in ours}
    assert len(found) >= 9


def test_sampler_adds_the_time_that_a_thread_used() -> None:
    sampler = Sampler()
    sampler.start()
    try:
        until = time.thread_time() + CPU_S
        while time.thread_time() < until:
            pass
    finally:
        sampler.stop()

    assert sampler.samples > 0
    assert 0 < sampler.layers_s[OTHER] < 2 * CPU_S


PROFILE = Profile(
    command="python -m benchmarks.token_profile",
    date="2026-11-23T00:00:00+00:00",
    machine={},
    versions={},
    conversations=40,
    rate_per_s=80.0,
    at_work=AtWork(
        tokens_per_s=3_200,
        frames=1.0,
        cpu_us=80.0,
        samples=1_000,
        layers_us={"read": 60.0, "write": 20.0},
        others_cores=0.0,
    ),
    hot_us={"split": 2.0},
)


def test_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_profile(PROFILE, tmp_path / "profile.json")

    assert read_profile(tmp_path / "profile.json") == PROFILE


def test_profile_fills_its_place_in_the_page_again_and_again() -> None:
    page = EXPLANATION.read_text(encoding="utf-8")

    once = filled(page, PROFILE)

    assert "| read | 60.0 | 75% |" in once
    assert "| split | 2.0 |" in once
    assert filled(once, PROFILE) == once


def test_page_without_a_place_for_the_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="in this order"):
        filled("# A page\n", PROFILE)
