"""Which addresses of a model or a tool may become links, and pictures.

Nothing remote is fetched by looking at a transcript, and one click must not act on a
server of the reader's own machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote

from streamchat_nb.transcript.hidden import remove_hidden

__all__ = ["SafeLink", "is_inline_picture", "names_destination", "safe_link"]

_MOST_CHARACTERS = 2_048
_MOST_PICTURE_CHARACTERS = 4_000_000
# No user name, no backslash, no escapes: every program reads the same host.
_WEB = re.compile(
    r"(?P<scheme>https?)://(?P<host>[^\s/\\?#@:%\[\]<>\"'`|^{}]+|\[[0-9a-f:.]+\])"
    r"(?P<port>:[0-9]{1,5})?(?P<rest>[/?#].*)?",
    re.IGNORECASE,
)
_MAIL = re.compile(
    r"mailto:(?P<to>[\w.!#$&'*+/=?^`{|}~-]+@[\w.-]+)(?P<rest>\?.*)?", re.IGNORECASE
)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
_IN_ADDRESS = "/?#@!&'*+,;=:~%-._"


@dataclass(frozen=True)
class SafeLink:
    """An address that may be a link.

    ``href`` is ASCII without quotes, brackets, blanks, backslashes or dollars.
    ``destination`` is where it leads, for the reader's eyes: a host or an address.
    """

    href: str
    destination: str


def safe_link(address: str) -> SafeLink | None:
    """Return the link to an address, or ``None`` when it may not be one.

    Only http, https and mailto, without a user name and without hidden characters,
    and not to the machine itself.
    """
    address = address.strip()
    if len(address) > _MOST_CHARACTERS or remove_hidden(address) != address:
        return None
    if re.search(r"\s", address):
        return None
    if mail := _MAIL.fullmatch(address):
        to = quote(mail["to"], safe=_IN_ADDRESS)
        return SafeLink(f"mailto:{to}{_quoted(mail['rest'])}", mail["to"])
    web = _WEB.fullmatch(address)
    host = None if web is None else _ascii_host(web["host"])
    if web is None or host is None or _is_this_machine(host):
        return None
    place = host + (web["port"] or "")
    return SafeLink(f"{web['scheme'].lower()}://{place}{_quoted(web['rest'])}", place)


def names_destination(text: str, link: SafeLink) -> bool:
    """Say whether a link's text already tells where it leads."""
    shown = text.strip().lower().removesuffix("/")
    href = link.href.lower().removesuffix("/")
    bare = re.sub(r"^(?:https?://|mailto:)", "", href)
    return shown in {href, bare, link.destination.lower()}


def is_inline_picture(address: str) -> bool:
    """Say whether a picture's bytes are in its address."""
    return (
        len(address) <= _MOST_PICTURE_CHARACTERS
        and _PICTURE.fullmatch(address) is not None
    )


def _quoted(rest: str | None) -> str:
    return quote(rest or "", safe=_IN_ADDRESS)


def _ascii_host(host: str) -> str | None:
    """Return a host as it is looked up, or ``None`` when it cannot be one."""
    if host.startswith("["):
        return host.lower()
    try:
        written = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    return (
        written if re.fullmatch(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?", written) else None
    )


def _is_this_machine(host: str) -> bool:
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        # Numbers in other forms (0x7f.1, 2130706433) are addresses to a browser.
        return (
            re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)", name.rsplit(".", 1)[-1]) is not None
        )
    return address.is_loopback or address.is_unspecified
