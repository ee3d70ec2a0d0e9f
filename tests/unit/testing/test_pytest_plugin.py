from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.agent.cassette_lines import decode_exchanges
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint

if TYPE_CHECKING:
    from collections.abc import Generator

pytest_plugins = ["pytester"]

PLUGIN = "streamchat_nb.testing.pytest_plugin"
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "test-your-agent.md"
RECORDED = """
import pytest
from streamchat_nb.agent.anthropic_model import AnthropicModel

class TestShop:
    @pytest.mark.parametrize("who", ["Ada", "Grace Hopper"])
    def test_answer(self, cassette, run_agent, who):
        run = run_agent(cassette(AnthropicModel("offline-demo")), f"hello {who}")
        assert run.answer.status == "completed", run.answer.error
        assert "Hello" in run.answer.text
"""


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with running_fake_endpoint() as address:
        yield address


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the inner runs have this plugin and no other, and no credential."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    options = ("-p", PLUGIN, "-p", "no:cacheprovider", "-Werror")
    return pytester.runpytest_subprocess(*options, *arguments, timeout=100)


def snippets() -> list[str]:
    text = PAGE.read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    program = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        f"import {PLUGIN}\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    own = {"streamchat_nb", "streamchat_nb._version", "streamchat_nb.testing", PLUGIN}
    assert {name for name in done.stdout.split() if "." in name} <= own
    assert set(done.stdout.split()) <= own | {"__future__", "importlib"}


def test_option_and_fixtures_say_what_they_are(pytester: pytest.Pytester) -> None:
    run(pytester, "--help").stdout.fnmatch_lines(["*--streamchat-record*"])
    result = run(pytester, "--fixtures", "-q")
    result.stdout.fnmatch_lines_random(
        ["scripted_model*", "cassette*", "run_agent*", "streamchat_server*"]
    )


def test_snippets_of_the_documentation_pass(pytester: pytest.Pytester) -> None:
    loop, coroutine, _, server = snippets()
    call = "import asyncio\n\ndef test_it(scripted_model):\n    assert"
    awaited = (
        f"{coroutine}\n\n{call} asyncio.run(greeting(scripted_model('Hi'))) == 'Hi'"
    )
    pytester.makepyfile(test_loop=loop, test_awaited=awaited, test_server=server)
    run(pytester).assert_outcomes(passed=4)


def test_documented_recording_works(
    pytester: pytest.Pytester, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_capital=snippets()[2].replace('"Paris" in', '"" in'))
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    run(pytester, "--streamchat-record", "-k", "capital").assert_outcomes(passed=1)
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    run(pytester).assert_outcomes(passed=1)
    (found,) = pytester.path.rglob("*.jsonl")
    expected = "cassettes/test_capital/test_model_finds_the_capital.jsonl"
    assert found.relative_to(pytester.path).as_posix() == expected


@pytest.mark.timeout(300)
def test_tests_record_once_and_play_without_a_key(
    pytester: pytest.Pytester, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_shop=RECORDED)
    result = run(pytester)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*holds nothing yet*"])
    command = (
        "pytest --streamchat-record 'test_shop.py::TestShop::test_answer[[]Ada[]]'"
    )
    result.stdout.fnmatch_lines([f"*{command}*"])

    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "canary-0123456789")
    run(pytester, "--streamchat-record").assert_outcomes(passed=2)
    folder = pytester.path / "cassettes" / "test_shop"
    files = sorted(folder.iterdir())
    assert len(files) == 2
    assert files[0].name == "TestShop.test_answer[Ada].jsonl"
    for file in files:
        assert len(decode_exchanges(file.read_bytes())) == 1
        assert b"canary" not in file.read_bytes()

    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN")
    before = [file.read_bytes() for file in files]
    run(pytester).assert_outcomes(passed=2)
    assert [file.read_bytes() for file in files] == before

    pytester.makepyfile(test_shop=RECORDED.replace("hello {who}", "hi {who}"))
    result = run(pytester)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*messages[[]0[]].content[[]0[]].text: hi Ada*"])

    # Without a credential nothing can be recorded, and nothing is lost.
    run(pytester, "--streamchat-record").assert_outcomes(failed=2)
    assert [file.read_bytes() for file in files] == before
