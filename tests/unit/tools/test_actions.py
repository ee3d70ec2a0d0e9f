from __future__ import annotations

import pytest

from streamchat_nb.protocol.content import Action
from streamchat_nb.tools.actions import MOST_ACTIONS, usable_actions


def link(href: str | None, label: str = "Profile") -> Action:
    return Action(kind="link", label=label, href=href)


def button(send: str | None, label: str = "Do it") -> Action:
    return Action(kind="button", label=label, send=send)


@pytest.mark.parametrize(
    "action",
    [
        link("https://example.org/people/ada"),
        link("http://example.org"),
        link("mailto:ada@example.com"),
        button("Draft a mail to Ada"),
    ],
)
def test_usable_actions_keep_what_can_be_shown(action: Action) -> None:
    assert usable_actions([action]) == [action]


@pytest.mark.parametrize(
    "action",
    [
        link(None),
        link(""),
        link("javascript:alert(1)"),
        link("data:text/html,x"),
        link("//example.org"),
        link("/api/shutdown"),
        link("https:"),
        link("https://[half"),
        link("java\nscript:alert(1)"),
        link("https://example.org/\x00"),
        link("https://example.org/" + "x" * 2_048),
        link("https://example.org", label=" "),
        link("https://example.org", label="x" * 81),
        button(None),
        button(" "),
        button("x" * 2_001),
    ],
)
def test_usable_actions_leave_out_what_cannot(action: Action) -> None:
    assert usable_actions([action, button("ok")]) == [button("ok")]


def test_usable_actions_are_few_and_different() -> None:
    many = [button(f"{n // 2}") for n in range(40)]
    chosen = usable_actions(many)
    assert chosen == [button(f"{n}") for n in range(MOST_ACTIONS)]
