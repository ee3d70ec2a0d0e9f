"""Fixtures for tests of agents. pytest loads this where the package is installed.

It is loaded for every run of pytest, also for those that have nothing to do with
agents: so it imports nothing but pytest until a fixture is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamchat_nb.testing.fixtures import AgentRunner, CassetteOfTest, Servers
    from streamchat_nb.testing.scripted_model import ScriptedModel

__all__ = [
    "cassette",
    "pytest_addoption",
    "run_agent",
    "scripted_model",
    "streamchat_server",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--streamchat-record``."""
    parser.getgroup("streamchat_nb").addoption(
        "--streamchat-record",
        action="store_true",
        help="ask the models again and record what they say in the cassettes of the "
        "tests that run",
    )


@pytest.fixture
def scripted_model() -> Callable[..., ScriptedModel]:
    """Make a model that gives the answers you say: ``scripted_model("Hello")``."""
    from streamchat_nb.testing.fixtures import scripted_model  # noqa: PLC0415 - heavy

    return scripted_model


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Iterator[CassetteOfTest]:
    """Make a model that plays this test's recording: ``cassette()``."""
    from streamchat_nb.testing.fixtures import (  # noqa: PLC0415 - heavy
        CassetteOfTest,
        cassette_path,
    )

    test: str = request.node.nodeid
    record_at = None
    if request.config.getoption("streamchat_record"):
        record_at = request.getfixturevalue("tmp_path") / "cassette.jsonl"
    found = CassetteOfTest(
        cassette_path(request.path, test.partition("::")[2] or test),
        record_at=record_at,
        test=test,
    )
    yield found
    found.finish()


@pytest.fixture
def run_agent() -> Iterator[AgentRunner]:
    """Let an agent answer: ``run_agent(agent, "Hello").answer.text``."""
    from streamchat_nb.testing.fixtures import AgentRunner  # noqa: PLC0415 - heavy

    runner = AgentRunner()
    yield runner
    runner.close()


@pytest.fixture
def streamchat_server() -> Iterator[Servers]:
    """Start a real server: ``streamchat_server("--StreamchatExtension.…")``."""
    from streamchat_nb.testing.fixtures import Servers  # noqa: PLC0415 - heavy

    servers = Servers()
    yield servers
    servers.close()
