"""What a load client is told to do, and what it tells afterwards."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

__all__ = ["QUANTILES", "Load", "LoadResult", "Target"]

QUANTILES = 200
"""Latencies are told as this many equal parts: 201 values, the least and most first
and last; the last but two is the 99th percentile."""


class Target(Struct, frozen=True, kw_only=True):
    """Where a load client goes, and what is watched meanwhile.

    Attributes:
        dialect: How the contender is spoken to, by its name in ``DIALECTS``.
        port: Its port on 127.0.0.1.
        path: Path of its WebSocket.
        token: Jupyter's token; empty where there is none.
        jwt_secret: Signs the tokens that peers are shown.
        server_pids: Processes of the contender; none for the bare upstream.
        api_pid: Process of the fake Messages API.
        api_port: Its port on 127.0.0.1; 0: answers are left to themselves at the end.
    """

    dialect: str
    port: int
    path: str
    token: str
    jwt_secret: str
    server_pids: tuple[int, ...]
    api_pid: int
    api_port: int = 0


class Load(Struct, frozen=True, kw_only=True):
    """How many clients do what, and for how long.

    Attributes:
        clients: How many connect and authenticate.
        conversations: ``own``: each asks in one of its own; ``shared``: all follow one,
            in which the first one asks; ``none``: nobody asks, all are idle.
        rate_per_s: Deltas per second of each answer; 0: as fast as they are taken.
        deltas: Deltas of each answer; who has one whole asks again.
        warm_up_s: Seconds in which clients begin to ask, evenly spread, and which
            are not measured. Longer, up to 12 s, where first tokens take longer.
        measured_s: Seconds that are measured.
        connects_in_flight: Most clients that are not authenticated yet.
        deadline_s: Longest that connecting may take.
    """

    clients: int = 1
    conversations: Literal["own", "shared", "none"] = "own"
    rate_per_s: float = 80.0
    deltas: int = 160
    warm_up_s: float = 1.0
    measured_s: float = 3.0
    connects_in_flight: int = 64
    deadline_s: float = 60.0


class LoadResult(Struct, frozen=True, kw_only=True):
    """What a load client saw.

    Latencies are from the stamp that the fake API puts into a delta, just before it
    writes it, until the client has read it. First tokens are from the request.

    Attributes:
        connected: Clients that were authenticated.
        connect_s: Seconds until all of them were.
        connect_cpu_s: CPU seconds of the contender meanwhile.
        tokens: Deltas that arrived in the measured time, at all clients.
        wanted_tokens: Deltas that should have.
        frames: Messages of the contender that arrived.
        wire_bytes: Bytes that arrived, with the frames' headers.
        answers: Answers that became whole.
        token_ms: Quantiles of the latency of deltas; empty where there were none.
        token_p999_ms: That of one in a thousand; ``None`` where there were none.
        first_token_ms: Quantiles of the time to the first token of an answer.
        measured_s: Seconds that were measured.
        server_cpu_s: CPU seconds of the contender in that time.
        api_cpu_s: CPU seconds of the fake API.
        client_cpu_s: CPU seconds of the load client.
        foreign_cpu_s: CPU seconds of all others on the machine.
        resident_before_bytes: Memory of the contender before the first connect.
        resident_bytes: The same at the end, with all clients connected.
        errors: How many clients failed, and why, by the words of the failure.
    """

    connected: int
    connect_s: float
    connect_cpu_s: float
    tokens: int = 0
    wanted_tokens: float = 0.0
    frames: int = 0
    wire_bytes: int = 0
    answers: int = 0
    token_ms: list[float] = field(default_factory=list[float])
    token_p999_ms: float | None = None
    first_token_ms: list[float] = field(default_factory=list[float])
    measured_s: float = 0.0
    server_cpu_s: float = 0.0
    api_cpu_s: float = 0.0
    client_cpu_s: float = 0.0
    foreign_cpu_s: float = 0.0
    resident_before_bytes: int = 0
    resident_bytes: int = 0
    errors: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def token_p50_ms(self) -> float | None:
        """The median latency of a delta."""
        return _at(self.token_ms, 0.5)

    @property
    def token_p99_ms(self) -> float | None:
        """The latency that one delta in a hundred exceeds."""
        return _at(self.token_ms, 0.99)

    @property
    def first_token_p50_ms(self) -> float | None:
        """The median time to the first token."""
        return _at(self.first_token_ms, 0.5)

    @property
    def tokens_per_s(self) -> float:
        """Deltas that arrived per second, over all clients."""
        return self.tokens / self.measured_s if self.measured_s else 0.0


def _at(quantiles: list[float], share: float) -> float | None:
    return quantiles[round(share * QUANTILES)] if quantiles else None
