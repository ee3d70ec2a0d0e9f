"""The layers of a token's way: which code is whose, and whose time is noted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.token_way.layers import LAYERS, OTHER, RULES, layer_of
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
        ([], OTHER),
    ],
)
def test_code_works_for_the_innermost_layer_that_has_it(
    stack: list[tuple[str, str]], layer: str
) -> None:
    assert layer_of(stack) == layer


def test_layers_of_rules_are_those_that_there_are() -> None:
    assert {layer for _, _, layer in RULES} | {OTHER} == set(LAYERS)


def test_rules_name_code_of_this_product_that_exists() -> None:
    files = [
        f"/{path.relative_to(ROOT)}" for path in ROOT.glob("streamchat_nb/**/*.py")
    ]
    ours = [pattern for pattern, _, _ in RULES if "/streamchat_nb/" in pattern]

    assert len(ours) > 10
    unknown = [
        pattern for pattern in ours if not any(Path(f).match(pattern) for f in files)
    ]
    assert unknown == []


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
