"""What does noting a request cost the event loop, and what the thread beside it?

A request is noted as an endpoint's is, without one: from its going out to its end.

python -m benchmarks.request_trace --kilobytes 20,600
"""

import argparse
import asyncio
import json
import platform
import sys
import time
from statistics import median
from typing import Any

import httpx2

from streamchat_nb.agent.request_trace import Exchange, recorded_by
from streamchat_nb.server.traces import Traces

WORDS = "The quick brown fox jumps over the lazy dog, and then it sleeps. "


def request_of(kilobytes: int) -> httpx2.Request:
    """Return a request with a history of this size."""
    text = WORDS * 16
    messages = [
        {"role": "user", "content": f"{number}: {text}"}
        for number in range(max(1, kilobytes * 1_000 // len(text)))
    ]
    headers = {"x-api-key": "key", "anthropic-version": "2026-10-21"}
    body = {"model": "m", "messages": messages}
    return httpx2.Request(
        "POST", "https://host.test/v1/messages", headers=headers, json=body
    )


async def measure(kilobytes: int, *, rounds: int) -> dict[str, Any]:
    """Note a request again and again; milliseconds are medians."""
    traces = Traces()
    request = request_of(kilobytes)
    response = httpx2.Response(200, request=request)
    loop_ms: list[float] = []
    thread_ms: list[float] = []
    kept_bytes = 0
    for number in range(rounds):
        kept = traces.begin("c", f"t{number}")
        recorded_by(kept)
        began = time.perf_counter()
        exchange = Exchange()
        exchange.went_out(request)
        exchange.answered(response)
        exchange.began()
        exchange.end()
        noted = time.perf_counter()
        while exchange not in kept.bodies:  # noqa: ASYNC110 - the keeper tells nobody
            await asyncio.sleep(0)
        loop_ms.append((noted - began) * 1_000)
        kept_bytes = kept.bytes_kept
        thread_ms.append((time.perf_counter() - noted) * 1_000)
    return {
        "body_bytes": len(request.content),
        "loop_ms": round(median(loop_ms), 4),
        "until_packed_ms": round(median(thread_ms), 3),
        "kept_bytes": kept_bytes,
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description="What does noting a request cost?")
    parser.add_argument("--kilobytes", default="20,600")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.kilobytes.split(",")]
    results = [asyncio.run(measure(size, rounds=arguments.rounds)) for size in sizes]
    machine = {"python": sys.version.split()[0], "machine": platform.machine()}
    json.dump({**machine, "results": results}, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
