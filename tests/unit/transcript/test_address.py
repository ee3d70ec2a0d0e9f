from __future__ import annotations

import pytest

from streamchat_nb.transcript.address import (
    SafeLink,
    is_inline_picture,
    names_destination,
    safe_link,
)


@pytest.mark.parametrize(
    ("address", "href", "destination"),
    [
        ("https://a.example/x?y=1#z", "https://a.example/x?y=1#z", "a.example"),
        ("HTTP://A.Example:8080/", "http://a.example:8080/", "a.example:8080"),
        (" https://a.example ", "https://a.example", "a.example"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC", None),
        ('https://a.example/"<x>(y)$', "https://a.example/%22%3Cx%3E%28y%29%24", None),
        ("mailto:ada@a.example", "mailto:ada@a.example", "ada@a.example"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x", "[2001:db8::1]"),
    ],
)
def test_web_and_mail_are_links(
    address: str, href: str, destination: str | None
) -> None:
    link = safe_link(address)
    assert link is not None
    assert link.href == href
    if destination is not None:
        assert link.destination == destination


@pytest.mark.parametrize(
    "address",
    [
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "vscode://x",
        "ftp://a.example/",
        "//a.example/x",
        "/lab",
        "https:a.example",
        "https:///a.example",
        "https://good.example@evil.example/",
        "https://good.example\\@evil.example/",
        "https://a.example/two words",
        "https://a.example/\u202ex",
        "https://a%2eexample/",
        "https://a.example:port/",
        "http://localhost:8888/api/shutdown",
        "http://x.localhost/",
        "http://127.0.0.1:8888/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://0.0.0.0/",
        "https://" + "a" * 70 + ".example/",
        "https://a.example/" + "x" * 3_000,
    ],
)
def test_others_are_no_links(address: str) -> None:
    assert safe_link(address) is None


def test_words_that_name_the_destination_are_told_from_others() -> None:
    link = SafeLink("https://a.example/x", "a.example")
    for words in ("a.example", "A.example/x", "https://a.example/x/"):
        assert names_destination(words, link)
    assert not names_destination("https://b.example/x", link)


def test_picture_has_its_bytes_in_its_address() -> None:
    assert is_inline_picture("data:image/png;base64,iVBORw0KGgo=")
    for other in ("data:image/svg+xml;base64,AAAA", "https://a.example/x.png"):
        assert not is_inline_picture(other)
