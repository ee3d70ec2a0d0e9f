"""What stands after ``%chat``: options, then words for the agent as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamchat_nb.errors import UsageError
from streamchat_nb.tools.data_digest import describe_data
from streamchat_nb.widget.sharing import shareable_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamchat_nb.tools.data_digest import Digest

__all__ = ["USAGE", "ChatLine", "parse_chat_line", "shared_data", "shared_words"]

USAGE = "Usage: %chat [-c CONVERSATION] [-m MODEL] [-a AGENT] [-i NAME] [--code] [TEXT]"

_WITH_VALUE = {
    "-c": "conversation",
    "--conversation": "conversation",
    "-m": "model",
    "--model": "model",
    "-a": "agent",
    "--agent": "agent",
    "-i": "into",
    "--into": "into",
}
_OPTION = re.compile(r"\s*(--?[A-Za-z][\w-]*)(?:=(\S*))?(?=\s|\Z)")
_VALUE = re.compile(r"\s+([^\s-]\S*)")
_END_OF_OPTIONS = re.compile(r"\s*--(?=\s|\Z)")
_CODE = re.compile(r"(?s)```.*?(?:```|\Z)|`[^`\n]*`")
_MENTION = re.compile(r"(?<![\w@./])@([^\W\d]\w*)(?![\w@(])(?!\.\w)")
_MOST_COLUMNS_NAMED = 12


@dataclass(frozen=True, kw_only=True)
class ChatLine:
    """What was asked for.

    Attributes:
        conversation: Id of the conversation to go on with; ``None``: the current one.
        model: Model for this message and those after it; ``None``: as before.
        agent: Agent for these; ``None``: as before.
        into: Variable that gets the answer; ``None``: none.
        code: Put the Python of the answer into the next cell.
        text: The words for the agent, as they were typed.
    """

    conversation: str | None = None
    model: str | None = None
    agent: str | None = None
    into: str | None = None
    code: bool = False
    text: str = ""


def parse_chat_line(line: str) -> ChatLine:
    """Return what a line after ``%chat`` asks for.

    Options come first; from the first word that is none, or after ``--``, all is text.

    Raises:
        UsageError: An option is not known, has no value, or cannot have this one.
    """
    found = ChatLine()
    at = 0
    while (option := _OPTION.match(line, at)) is not None:
        name, value = option.groups()
        at = option.end()
        if name == "--code" and value is None:
            found = replace(found, code=True)
            continue
        if name not in _WITH_VALUE:
            raise UsageError(f"There is no option {name} (text that begins so: -- …).")
        if value is None and (following := _VALUE.match(line, at)) is not None:
            value, at = following[1], following.end()
        if not value:
            raise UsageError(f"{name} needs a value.")
        found = replace(found, **{_WITH_VALUE[name]: value})
    if (ending := _END_OF_OPTIONS.match(line, at)) is not None:
        at = ending.end()
    if found.into is not None and not found.into.isidentifier():
        raise UsageError(f"{found.into!r:.80} cannot be the name of a variable.")
    return replace(found, text=line[at:].strip())


def shared_data(text: str, namespace: Mapping[str, object]) -> list[Digest]:
    """Return what a message shares by ``@name``: a digest of each such variable.

    Names of nothing, in code, in addresses, or before a dot or a bracket share
    nothing: they stay words.

    Args:
        text: The message.
        namespace: The notebook's names.
    """
    variables = shareable_variables(namespace)
    names = dict.fromkeys(_MENTION.findall(_CODE.sub(" ", text)))
    return [
        describe_data(variables[name], name=name) for name in names if name in variables
    ]


def shared_words(digest: Digest) -> str:
    """Return a line that says what was shared of a variable."""
    told = [column.name for column in digest.columns if column.included]
    kept = [column.name for column in digest.columns if not column.included]
    parts = [f"{len(digest.text):,} characters"]
    if told:
        parts.insert(0, f"columns {_listed(told)}")
    if kept:
        parts.append(f"without {_listed(kept)}")
    elif digest.has_secrets:
        parts.append("without what looks like a secret")
    return f"Shared @{digest.name}: {', '.join(parts)}."


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_COLUMNS_NAMED
    listed = ", ".join(names[:_MOST_COLUMNS_NAMED])
    return f"{listed} and {more:,} more" if more > 0 else listed
