"""A conversation as static HTML, for saved notebooks and as a page of its own.

Plain elements that read well without any style, the same in a notebook that is not
trusted: no script, no style sheet of the page, nothing fetched.
"""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, Literal

from streamchat_nb.protocol.content import ImageDisplay, TableDisplay, TextDisplay
from streamchat_nb.transcript.address import safe_link
from streamchat_nb.transcript.hidden import remove_hidden
from streamchat_nb.transcript.html_text import (
    code_block,
    code_words,
    escape_html,
    html_link,
    html_table,
    lines_as_typed,
    picture_element,
    quotation,
    with_colour,
    write_html,
)
from streamchat_nb.transcript.markdown_tree import parse_markdown
from streamchat_nb.transcript.outline import (
    Attached,
    Note,
    Offers,
    Said,
    Shared,
    Speaker,
    Thought,
    ToolUse,
    Typed,
    outline,
    title_of,
)
from streamchat_nb.transcript.pictures import picture_of
from streamchat_nb.transcript.selection import write_within
from streamchat_nb.transcript.tool_texts import (
    cut_lines,
    details_of,
    laid_out,
    short_input,
    shown_table,
    tool_name,
)
from streamchat_nb.transcript.words import (
    LEFT_OUT,
    SHARED,
    attached_words,
    offer_lines,
    tool_words,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.content import Action, Display
    from streamchat_nb.transcript.outline import Entry

__all__ = ["Theme", "to_html", "to_page", "write_entry"]

Theme = Literal["auto", "light", "dark"]
"""``auto`` takes the colours of the page around it."""

_HEADING_LEVEL = 3
_MOST_ROWS = 100
_OUTPUT_LINES = 400
_OUTPUT_BYTES = 20_000
_COLOURS = {"light": ("#1d2129", "#ffffff"), "dark": ("#e6e8ec", "#16181d")}
"""Of the words and of what is behind them."""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" \
content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="{scheme}">
<title>{title}</title>
<style>
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  font: 16px/1.55 system-ui, sans-serif; overflow-wrap: break-word; }}
pre, code {{ font: 0.9em/1.45 ui-monospace, monospace; }}
pre {{ white-space: pre; }}
table {{ display: block; overflow-x: auto; }}
blockquote {{ margin-inline: 0; padding-inline: 1em;
  border-inline-start: 3px solid rgba(128, 128, 128, 0.4); }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def to_html(
    state: ConversationState,
    *,
    theme: Theme = "auto",
    thinking: bool = False,
    limit_bytes: int = 1_000_000,
) -> str:
    """Return a conversation as one element of static HTML.

    All words are escaped, also those that look like HTML; links are http, https and
    mailto and say where they lead.

    Args:
        state: The conversation; not changed.
        theme: Own colours, or those of the page.
        thinking: Show an agent's reasoning too, folded.
        limit_bytes: Largest size in UTF-8; the middle of a longer one is left out,
            and a sentence says so.
    """
    style = "max-width:56rem"
    if theme != "auto":
        style += f";padding:8px 16px;background-color:{_COLOURS[theme][1]}"
    before, after = f'<div style="{style};color:inherit">\n', "\n</div>\n"
    room = limit_bytes - len(before) - len(after)
    html = before + _body(state, _HEADING_LEVEL, thinking, room) + after
    return html if theme == "auto" else with_colour(html, _COLOURS[theme][0])


def to_page(
    state: ConversationState,
    *,
    theme: Theme = "auto",
    thinking: bool = False,
    limit_bytes: int = 16_000_000,
) -> str:
    """Return a conversation as a page of its own; as ``to_html`` otherwise."""
    body = _body(state, 1, thinking, limit_bytes)
    scheme = "light dark" if theme == "auto" else theme
    return _PAGE.format(scheme=scheme, title=escape(title_of(state)), body=body)


def _body(
    state: ConversationState, level: int, thinking: bool, limit_bytes: int
) -> str:
    """Return the whole, below a title of this level."""
    title = f"<h{level}>{escape_html(title_of(state))}</h{level}>"
    entries = outline(state, thinking=thinking)
    pieces = write_within(
        [partial(write_entry, entry, below=level) for entry in entries],
        limit_bytes=limit_bytes - len(title.encode()),
        left_out=f"<p>{_quiet(LEFT_OUT)}</p>",
    )
    return "\n".join([title, *(piece for piece in pieces if piece)])


def write_entry(entry: Entry, *, below: int) -> str:
    """Return one entry of a transcript as elements of static HTML.

    Args:
        entry: The entry.
        below: Headings of what was said are deeper than this level.
    """
    match entry:
        case Speaker(name=name):
            written = f"<p><strong>{escape_html(name)}</strong></p>"
        case Typed(text=text):
            cut = cut_lines(text, most_lines=10_000, most_bytes=200_000)
            written = quotation(f"<p>{lines_as_typed(cut)}</p>")
        case Shared(name=name, text=text):
            cut = cut_lines(text, most_lines=10_000, most_bytes=200_000)
            written = _folded(f"{SHARED} {code_words(name)}", code_block(cut))
        case Attached(kind=kind, name=name):
            written = f"<p>{_quiet(attached_words(kind, name))}</p>"
        case Said(text=text):
            written = write_html(parse_markdown(text), below=below)
        case Thought(text=text):
            cut = cut_lines(text, most_lines=10_000, most_bytes=200_000)
            written = _folded("Thought about it", f"<p>{lines_as_typed(cut)}</p>")
        case Note(words=words):
            written = f"<p>{_quiet(words)}</p>"
        case ToolUse():
            written = _tool(entry)
        case Offers(actions=actions):
            written = _offers(actions)
    return written


def _quiet(words: str) -> str:
    return f"<em>{escape_html(words)}</em>"


def _folded(summary: str, inside: str) -> str:
    return (
        '<details style="margin:0 0 1em 0">\n'
        f"<summary><small>{summary}</small></summary>\n{inside}\n</details>"
    )


def _tool(use: ToolUse) -> str:
    call = use.call
    before, after = tool_words(call, turn_runs=use.turn_runs)
    name = code_words(f"{tool_name(call)}({short_input(call)})")
    line = f"{before}{name}{after}"
    if details := details_of(call):
        line += f" ({escape_html(details)})"
    inside = ["<p><small>Input</small></p>", _code(laid_out(call.input))]
    if call.output:
        inside += ["<p><small>Result</small></p>", _code(laid_out(call.output))]
    parts = [_folded(line, "\n".join(inside))]
    parts.extend(_display(display) for display in call.display)
    return "\n".join(parts)


def _code(text: str) -> str:
    return code_block(
        cut_lines(text, most_lines=_OUTPUT_LINES, most_bytes=_OUTPUT_BYTES)
    )


def _display(display: Display) -> str:
    match display:
        case TableDisplay():
            return _table(display)
        case ImageDisplay(alt=alt):
            words = remove_hidden(alt)[:300] or "Picture"
            picture = picture_of(display)
            if picture is None:
                return f"<p>{_quiet(f'[{words}]')}</p>"
            return f"<p>{picture_element(picture.data_uri, words)}</p>"
        case TextDisplay(text=text):
            return _code(text)


def _table(display: TableDisplay) -> str:
    table = shown_table(display, most_rows=_MOST_ROWS)
    if not table.columns:
        return f"<p>{_quiet(table.title or 'An empty table')}</p>"
    written = html_table(
        [escape_html(name) for name in table.columns],
        [[escape_html(cell) for cell in row] for row in table.rows],
    )
    if table.title:
        written = f"<p><strong>{escape_html(table.title)}</strong></p>\n{written}"
    note = f"\n<p><small>{table.note}</small></p>" if table.note else ""
    return written + note


def _offers(actions: Sequence[Action]) -> str:
    links = [
        html_link(remove_hidden(action.label), action.href or "")
        for action in actions
        if action.kind == "link" and safe_link(action.href or "")
    ]
    buttons = [
        f"“{escape_html(remove_hidden(action.label))}”"
        for action in actions
        if action.kind == "button"
    ]
    return "\n".join(f"<p>{line}</p>" for line in offer_lines(links, buttons))
