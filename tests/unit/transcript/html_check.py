"""What is wrong with a piece of HTML, as far as it may only be ours."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from typing_extensions import override

from streamchat_nb.transcript.address import is_inline_picture

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["problems_of", "requests_of"]

STYLE = re.compile(r"(?:[a-z-]+:[a-z0-9#%().,\s-]+;?)+")
ALLOWED: dict[str, set[str]] = {
    "a": {"href", "target", "rel", "style"},
    "blockquote": {"style"},
    "br": set(),
    "code": {"style"},
    "del": set(),
    "details": {"style"},
    "div": {"style"},
    "em": set(),
    **{f"h{level}": set() for level in range(1, 7)},
    "hr": set(),
    "img": {"src", "alt", "style"},
    "li": set(),
    "ol": {"start"},
    "p": set(),
    "pre": {"style"},
    "small": set(),
    "span": set(),
    "strong": set(),
    "summary": set(),
    "table": {"style"},
    "tbody": set(),
    "td": {"style"},
    "th": {"style"},
    "thead": set(),
    "tr": {"style"},
    "ul": set(),
}
WITHOUT_END = {"br", "hr", "img"}
FINE: dict[str, Callable[[str], object]] = {
    "href": re.compile(r"(?:https?://[^/@\\]+(?:[/?#]|\Z)|mailto:)").match,
    "src": is_inline_picture,
    "style": lambda value: STYLE.fullmatch(value) and "url" not in value,
    "target": "_blank".__eq__,
    "rel": "noopener noreferrer".__eq__,
    "start": str.isdigit,
}
STYLED_FETCH = r"url\s*\(|expression|import"
FETCHING = {"src", "srcset", "data", "poster", "background", "action", "formaction"}


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.open: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        allowed = ALLOWED.get(tag)
        if allowed is None:
            self.problems.append(f"element {tag}")
            return
        if tag not in WITHOUT_END:
            self.open.append(tag)
        for name, value in attrs:
            if name not in allowed:
                self.problems.append(f"{tag} {name}")
            elif name in FINE and not FINE[name](value or ""):
                self.problems.append(f"{tag} {name}={value}")

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"end of {tag}")

    @override
    def handle_comment(self, data: str) -> None:
        self.problems.append(f"comment {data}")

    @override
    def handle_decl(self, decl: str) -> None:
        self.problems.append(f"declaration {decl}")

    @override
    def unknown_decl(self, data: str) -> None:
        self.problems.append(f"declaration {data}")

    @override
    def handle_pi(self, data: str) -> None:
        self.problems.append(f"instruction {data}")


def problems_of(html: str) -> list[str]:
    """What is in the HTML that may not be."""
    checker = _Checker()
    checker.feed(html)
    checker.close()
    return [*checker.problems, *(f"open {tag}" for tag in checker.open)]


class _Requests(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            address = (value or "").strip()
            fetches = name in FETCHING and not is_inline_picture(address)
            styled = name == "style" and re.search(STYLED_FETCH, address)
            if name.startswith("on") or fetches or styled:
                self.found.append(f"{tag} {name}={address}")
            elif name in {"href", "xlink:href"}:
                self._look_at_link(tag, address)
        if tag in {
            "script",
            "style",
            "iframe",
            "object",
            "embed",
            "base",
            "meta",
            "link",
        }:
            self.found.append(tag)

    def _look_at_link(self, tag: str, address: str) -> None:
        if tag != "a" or not re.match(r"https?://|mailto:|#", address):
            self.found.append(f"{tag} href={address}")


def requests_of(html: str) -> list[str]:
    """What in the HTML of another program would run or fetch, or is no plain link."""
    checker = _Requests()
    checker.feed(html)
    checker.close()
    return checker.found
