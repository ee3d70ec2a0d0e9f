"""Every public name, route, trait, event, command and close code is documented."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec.inspect
import pytest

import streamchat_nb
from streamchat_nb.protocol.close_codes import CLOSE_CODES
from streamchat_nb.protocol.commands import Command
from streamchat_nb.protocol.events import Event
from streamchat_nb.protocol.frames import Frame
from streamchat_nb.protocol.limits import Limits
from streamchat_nb.server.description import openapi
from streamchat_nb.server.extension import StreamchatExtension
from streamchat_nb.tools.tool import Tool
from streamchat_nb.widget.chat import Chat

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PYTHON = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
SERVER = (DOCS / "reference" / "server.md").read_text(encoding="utf-8")
PROTOCOL = (DOCS / "reference" / "protocol.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])


@pytest.mark.parametrize("name", streamchat_nb.__all__)
def test_public_name_is_documented(name: str) -> None:
    assert re.search(rf"`{re.escape(name)}\b", PYTHON)


def test_own_traits_of_the_widget_are_documented() -> None:
    synced = [
        name
        for name, trait in Chat.class_own_traits().items()
        if trait.metadata.get("sync") and not name.startswith("_")
    ]
    assert len(synced) >= 6
    for name in synced:
        assert f"| `{name}` |" in PYTHON, name


def test_traits_of_the_extension_have_help_and_are_documented() -> None:
    own = {
        name: trait
        for name, trait in StreamchatExtension.class_own_traits().items()
        if trait.metadata.get("config")
    }
    assert len(own) >= 9
    for name, trait in own.items():
        assert f"| `{name}` |" in SERVER, name
        assert len(trait.help) > 20, name
    documented = re.findall(
        r"^\| `([a-z_]+)` \|", _section(SERVER, "Traits"), re.MULTILINE
    )
    assert set(documented) == set(own)


def test_routes_are_documented() -> None:
    described = openapi()["paths"]
    for path, operations in described.items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in SERVER, (method, path)
    listed = re.findall(r"`(GET|POST|PATCH|DELETE) (/[a-z][^`…]*)`", SERVER)
    for method, path in listed:
        assert method.lower() in described[path], (method, path)


@pytest.mark.parametrize(
    "variant", [*Event.__args__, *Command.__args__, *Frame.__args__]
)
def test_wire_type_is_documented(variant: type) -> None:
    info = msgspec.inspect.type_info(variant)
    assert isinstance(info, msgspec.inspect.StructType)
    assert f"`{info.tag}`" in PROTOCOL


def test_close_codes_and_limits_are_documented() -> None:
    for code, meaning in CLOSE_CODES.items():
        assert str(int(code)) in PROTOCOL
        assert meaning.meaning in PROTOCOL
    for name in Limits.__struct_fields__:
        assert f"`{name}`" in PROTOCOL, name


def test_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert first is not None
    assert first[1] == streamchat_nb.__version__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in _links(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_snippets_compile(page: Path) -> None:
    for number, code in enumerate(_snippets(page.read_text(encoding="utf-8"))):
        compile(code, f"{page.name}[{number}]", "exec")


def test_tool_snippets_run_as_tools() -> None:
    page = DOCS / "how-to" / "write-a-tool.md"
    snippet = next(_snippets(page.read_text(encoding="utf-8")))
    names: dict[str, object] = {}
    exec(compile(snippet, str(page), "exec"), names)  # noqa: S102 - our own page
    weather = names["weather"]
    assert isinstance(weather, Tool)
    properties = weather.input_schema["properties"]
    assert set(properties) == {"city", "days", "unit"}
    assert properties["city"]["description"].startswith("Name of the city")


def _section(text: str, title: str) -> str:
    return text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def _links(text: str) -> Iterator[str]:
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", outside):
        if not re.match(r"[a-z]+:", target) and target != "file.md":
            yield target


def _snippets(text: str) -> Iterator[str]:
    yield from re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
