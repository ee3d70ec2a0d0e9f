"""The profile of a token's way, as tables in ``docs/explanation/performance.md``."""

from __future__ import annotations

from pathlib import Path

import msgspec

__all__ = [
    "EXPLANATION",
    "PROFILE",
    "AtWork",
    "Profile",
    "filled",
    "read_profile",
    "tables",
    "write_profile",
]

PROFILE = Path(__file__).parents[1] / "results" / "token_profile.json"
EXPLANATION = Path(__file__).parents[2] / "docs" / "explanation" / "performance.md"
_BEGIN = "<!-- Written by `python -m benchmarks.token_profile --keep`. -->"
_END = "<!-- So far. -->"


class AtWork(msgspec.Struct, kw_only=True, frozen=True):
    """What the server's process did for each token.

    Attributes:
        tokens_per_s: That arrived, at all clients.
        frames: Messages that they arrived in, for each token.
        cpu_us: CPU microseconds of the process for each.
        samples: How often it was looked at.
        layers_us: The same microseconds, by layer.
        others_cores: Cores that others kept busy meanwhile.
    """

    tokens_per_s: int
    frames: float
    cpu_us: float
    samples: int
    layers_us: dict[str, float]
    others_cores: float


class Profile(msgspec.Struct, kw_only=True, frozen=True):
    """Where the time of a token goes.

    Attributes:
        command: That measured it.
        date: When; ISO 8601.
        machine: On what, in words.
        versions: Of what was measured.
        conversations: How many streamed at once.
        rate_per_s: Tokens of each.
        at_work: What the server did meanwhile.
        hot_us: What the code of each layer costs for a token, in a loop.
    """

    command: str
    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    conversations: int
    rate_per_s: float
    at_work: AtWork
    hot_us: dict[str, float]


def read_profile(path: Path = PROFILE) -> Profile:
    """Read what ``write_profile`` wrote.

    Raises:
        OSError: There is no such file.
        msgspec.DecodeError: It holds something else.
    """
    return msgspec.json.decode(path.read_bytes(), type=Profile)


def write_profile(profile: Profile, path: Path = PROFILE) -> None:
    """Write a profile, readable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(profile), indent=1)
    path.write_bytes(text + b"\n")


def tables(profile: Profile) -> str:
    """Return when and how it was measured, and a table for each way of measuring."""
    working = profile.at_work
    how = (
        f"`{profile.command}`, {profile.date}: {profile.conversations} conversations "
        f"at {profile.rate_per_s:g} tokens per second each; "
        f"{working.tokens_per_s:,} per second arrived, in {working.frames:g} frames "
        f"each. {working.cpu_us:g} µs of CPU for each, looked at {working.samples:,} "
        f"times; others kept {working.others_cores:g} cores busy meanwhile."
    )
    lines = [
        how,
        "",
        "| layer, at work | µs per token | share |",
        "|---|---|---|",
    ]
    for layer, used_us in working.layers_us.items():
        share = used_us / working.cpu_us if working.cpu_us else 0.0
        lines.append(f"| {layer} | {used_us:.1f} | {share:.0%} |")
    lines += ["", "| code alone, hot | µs per token |", "|---|---|"]
    lines += [
        f"| {layer} | {used_us:.1f} |" for layer, used_us in profile.hot_us.items()
    ]
    return "\n".join(lines)


def filled(page: str, profile: Profile) -> str:
    """Return the page with these tables in place of those that it has.

    Raises:
        ValueError: It has no place for them.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"The page needs {_BEGIN} and {_END}, in this order.")
    return f"{before}{begin}\n\n{tables(profile)}\n\n{end}{after}"
