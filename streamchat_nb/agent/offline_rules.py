"""What the offline demo says: fixed rules, no clock, no chance. Pure.

A request of the Messages API goes in, a plan of the reply comes out. The same
request always gives the same reply.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from streamchat_nb.agent.endpoint import credential_hint
from streamchat_nb.agent.offline_arithmetic import (
    ArithmeticProblem,
    evaluate,
    find_expression,
)
from streamchat_nb.agent.offline_calls import CallProblem, example_input, parse_calls
from streamchat_nb.agent.offline_continuation import (
    asks_to_continue,
    broken_off,
    rest_of,
)
from streamchat_nb.agent.offline_samples import DEMOS, SAMPLES, filler

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BANNER", "Fault", "Reply", "ToolCall", "plan_reply"]

BANNER = "Offline demo. No language model is running; I follow fixed rules."
"""First line of the first reply of every conversation."""

_SEARCH = "search_contacts"
_LONGEST_RESULT = 6_000
_MOST_LINES_SHARED = 24
_MEDIA = {"image": "an image", "document": "a PDF"}
_SHARED = re.compile(
    r'<(?P<kind>data|file) name="(?P<name>[^"]*)">\n(?P<text>.*)\n</(?P=kind)>',
    re.DOTALL,
)
_GREETING = re.compile(
    r"(?i)(hello|hi|hey|good (morning|afternoon|evening)|moin|hallo)\b.{0,40}"
)
_THANKS = re.compile(r"(?i)(thanks?|thank you|cheers)\b.{0,40}")
_ABILITIES = re.compile(
    r"(?i)/?(help|tools|list( the| your)? tools|(which|what) tools.*"
    r"|what can you do.*|what do you do.*|who are you.*|what are you.*)"
)
_PERSON = re.compile(
    r"(?i)(?:who(?:\s+is|\s+are|\s+was|'s|\s+works\s+(?:at|in|for|on)|\s+lives\s+in"
    r"|\s+knows?)"
    r"|(?:please\s+)?(?:find|look\s+up|search(?:\s+(?:the\s+)?contacts)?(?:\s+for)?))"
    r"\s+(?P<query>\S.*)"
)
_MAIL = re.compile(
    r"(?i)(?:please\s+)?(?:draft|write)\s+(?:an?\s+)?(?:e-?mail|mail|message)\s+to\s+"
    r"(?P<name>[^<\n]{1,80}?)\s*(?:<(?P<mail>[^<>\s@]{1,80}@[^<>\s@]{1,80})>)?[.!]?"
)
_SHOW = re.compile(
    r"(?i)(?:please\s+)?show\s+(?:me\s+)?(?:an?\s+|some\s+|the\s+)?(?P<what>\w+)\b.{0,40}"
)
_DEMO = re.compile(r"/demo(?:\s+(?P<what>\w+))?(?:\s+(?P<argument>\S+))?\s*")


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """A call to make. ``input`` may be a text that is no JSON, to show that fault."""

    name: str
    input: dict[str, Any] | str


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong after the text of a reply."""

    kind: Literal["error", "cut", "stall"]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The plan of a reply.

    Attributes:
        text: Markdown.
        calls: Tool calls after the text.
        stop_reason: As on the wire.
        fault: What goes wrong; ``None`` for a good reply.
        pace_s: Seconds for each part of the text; ``None`` for the usual pace.
    """

    text: str
    calls: tuple[ToolCall, ...] = ()
    stop_reason: str = "end_turn"
    fault: Fault | None = None
    pace_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Question:
    """What a request asks, as far as the rules care."""

    text: str
    tools: dict[str, dict[str, Any]]
    is_first: bool
    results: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    names: dict[str, str] = field(default_factory=dict[str, str])
    shared: dict[str, str] = field(default_factory=dict[str, str])
    media: tuple[str, ...] = ()


def plan_reply(request: dict[str, Any]) -> Reply:
    """Return the reply to a request.

    Args:
        request: The body of ``POST /v1/messages``, valid.
    """
    question = _read(request)
    if asks_to_continue(question.text):
        return _continue(request, question)
    # Without tools, the text beside results is the agent's own: it asks for the end.
    if question.results and not (question.text and question.tools):
        reply = _report(question)
    else:
        found = (rule(question) for rule in _RULES)
        reply = next((reply for reply in found if reply is not None), _cannot())
    schema = _output_schema(request)
    if schema is not None and not (reply.calls or reply.fault):
        # Read by a program: nothing beside it, not even who answers.
        return Reply(text=json.dumps(example_input(schema)))
    if question.is_first:
        reply = replace(reply, text=f"{BANNER}\n\n{reply.text}".rstrip())
    return reply


# --- reading the request ---------------------------------------------------------


def _read(request: dict[str, Any]) -> _Question:
    messages = cast("list[dict[str, Any]]", request.get("messages") or [{}])
    last = _blocks(messages[-1])
    calls = _blocks(messages[-2]) if len(messages) > 1 else []
    tools = cast("list[dict[str, Any]]", request.get("tools") or [])
    if request.get("tool_choice") == {"type": "none"}:
        tools = []
    given = [block["text"] for block in last if block.get("type") == "text"]
    shared = [match for text in given if (match := _SHARED.fullmatch(text))]
    texts = [text for text in given if not _SHARED.fullmatch(text)]
    return _Question(
        # What was asked before it and never answered may stand in the same message.
        text=texts[-1].strip() if texts else "",
        tools={tool["name"]: tool for tool in tools if "input_schema" in tool},
        is_first=not any(message.get("role") == "assistant" for message in messages),
        shared={match["name"]: match["text"] for match in shared},
        media=tuple(_MEDIA[b["type"]] for b in last if b.get("type") in _MEDIA),
        results=[block for block in last if block.get("type") == "tool_result"],
        names={b["id"]: b["name"] for b in calls if b.get("type") == "tool_use"},
    )


def _output_schema(request: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema that the answer is held to, if it is."""
    node: object = request
    for key in ("output_config", "format", "schema"):
        node = cast("dict[str, object]", node).get(key) if node else None
    return cast("dict[str, Any] | None", node)


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content") or ""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return cast("list[dict[str, Any]]", content)


def _result_text(block: dict[str, Any]) -> str:
    parts = [b.get("text", f"({b.get('type')})") for b in _blocks(block)]
    text = "\n".join(parts).strip() or "(nothing)"
    if len(text) > _LONGEST_RESULT:
        text = (
            f"{text[:_LONGEST_RESULT]}…\n\n(Cut here: the rest is in the tool's box.)"
        )
    return text


# --- tool results ----------------------------------------------------------------


def _report(question: _Question) -> Reply:
    """Report tool results word for word."""
    parts: list[str] = []
    for block in question.results:
        name = question.names.get(str(block.get("tool_use_id")), "the tool")
        text = _result_text(block)
        if block.get("is_error"):
            parts.append(f"`{name}` failed:\n\n{_quoted(text)}")
        else:
            parts.append(f"`{name}` says:\n\n{_shown(text)}")
    count = len(parts)
    ending = (
        "That is the tool's own answer" if count == 1 else f"Those are {count} answers"
    )
    parts.append(f"{ending}, word for word.")
    return Reply(text="\n\n".join(parts))


# --- going on --------------------------------------------------------------------


def _continue(request: dict[str, Any], question: _Question) -> Reply:
    """Say the rest of an answer that was broken off. No tool is called again."""
    if question.results:
        names = " and ".join(f"`{name}`" for name in sorted(question.names.values()))
        return Reply(
            text=f"I had called {names} when I was stopped, and do not call a tool "
            "again by myself. Ask me once more if it should run."
        )
    messages = cast("list[dict[str, Any]]", request["messages"])
    asked, said = broken_off([{**m, "content": _blocks(m)} for m in messages])
    if not asked:
        return Reply(text="There is nothing yet that I could go on with.")
    reply = plan_reply({**request, "messages": asked})
    if not said:
        return reply
    rest = rest_of(reply.text, said)
    if rest is None:
        return Reply(text="I cannot see where I stopped. Ask me once more.")
    if not rest:
        return Reply(text="That was all I had to say.")
    return Reply(text=rest, pace_s=reply.pace_s)


def _shown(text: str) -> str:
    """Return a result as Markdown that shows it as it is."""
    if text[0] in "{[":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return _quoted(text)
        return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"
    is_markdown = re.search(r"(?m)^([-*#>|]|\d+\.|```)", text)
    is_listing = re.search(r"(?m) as CSV:$", text)
    return text if is_markdown and not is_listing else _quoted(text)


def _quoted(text: str) -> str:
    lines = text.splitlines()
    if len(lines) == 1:
        return f"> {text}"
    # As code, which keeps the lines apart.
    return "\n".join(f"    {line}".rstrip() for line in lines)


# --- the rules, first match wins -------------------------------------------------


def _demo(question: _Question) -> Reply | None:
    match = _DEMO.fullmatch(question.text)
    if match is None:
        return None
    plan = _DEMO_PLANS.get(match["what"] or "")
    if plan is not None:
        return plan(question, match["argument"] or "")
    listed = "\n".join(f"- `/demo {name}`: {what}" for name, what in DEMOS.items())
    return Reply(text=f"I can show what happens when things go wrong:\n\n{listed}")


def _written_calls(question: _Question) -> Reply | None:
    try:
        written = parse_calls(question.text)
    except CallProblem as problem:
        return Reply(text=str(problem))
    if not written:
        return None
    unknown = [call.name for call in written if call.name not in question.tools]
    if unknown:
        return Reply(
            text=f"There is no tool `{unknown[0]}` here.\n\n{_tool_list(question)}"
        )
    calls = tuple(
        ToolCall(
            name=call.name,
            input=example_input(question.tools[call.name]["input_schema"])
            if call.input is None
            else call.input,
        )
        for call in written
    )
    names = " and ".join(f"`{call.name}`" for call in calls)
    return _calling(f"I call {names}.", *calls)


def _arithmetic(question: _Question) -> Reply | None:
    expression = find_expression(question.text)
    if expression is None:
        return None
    try:
        return Reply(text=f"`{expression}` = **{evaluate(expression)}**")
    except ArithmeticProblem as problem:
        return Reply(text=f"`{expression}`: {problem}")


def _abilities(question: _Question) -> Reply | None:
    if not _ABILITIES.fullmatch(question.text.rstrip("?!. ")):
        return None
    return Reply(
        text=f"{_tool_list(question)}\n\n"
        "You can also ask me for:\n\n"
        "- a person: *Who is Ada?*\n"
        '- a tool by name: `call search_contacts {"query": "Ada"}`, or several with '
        "`and` between them\n"
        "- a sum: `2 * (3 + 4)`\n"
        "- a sample: *show a table*, *show code*, *show math*, *show links*, "
        "*show buttons*\n"
        "- a fault: `/demo`\n\n"
        f"{credential_hint()}"
    )


def _person(question: _Question) -> Reply | None:
    match = _PERSON.fullmatch(question.text.strip().rstrip("?!. "))
    if match is None:
        return None
    query = match["query"].strip().strip("\"'")[:100]
    if _SEARCH not in question.tools:
        return Reply(
            text=f"I would have to search for that, and there is no `{_SEARCH}` tool "
            f"here.\n\n{_tool_list(question)}"
        )
    return _calling(f"I look for “{query}” in the contacts.", _search(question, query))


def _mail(question: _Question) -> Reply | None:
    match = _MAIL.fullmatch(question.text)
    if match is None:
        return None
    name, mail = match["name"].strip(), match["mail"]
    to = f"{name}, [{mail}](mailto:{mail})" if mail else name
    return Reply(
        text="Here is a draft. I only fill in a form, so the words are yours to "
        f"add:\n\n**To:** {to}  \n**Subject:** A question\n\n"
        f"> Dear {name.split()[0]},\n>\n> I would like to talk with you about …\n>\n"
        "> Kind regards"
    )


def _samples(question: _Question) -> Reply | None:
    match = _SHOW.fullmatch(question.text)
    what = match["what"].lower() if match else ""
    if what in {"button", "buttons"} and _SEARCH in question.tools:
        text = "Buttons come with the result of a tool, so I search the contacts."
        return _calling(text, _search(question, "Ada"))
    sample = SAMPLES.get(what) or SAMPLES.get(f"{what}s")
    return Reply(text=sample) if sample else None


def _smalltalk(question: _Question) -> Reply | None:
    if _GREETING.fullmatch(question.text):
        return Reply(text="Hello! Ask me *Who is Ada?*, or *What can you do?*")
    if _THANKS.fullmatch(question.text):
        return Reply(text="You are welcome.")
    if question.text.startswith("/fault"):
        return Reply(text="No fault this time: this is the answer.")
    return None


def _given(question: _Question) -> Reply | None:
    """Answer about what was shared or attached: what it begins with."""
    parts = [f"I was given {kind}, and cannot look at it." for kind in question.media]
    for name, text in question.shared.items():
        lines = text.splitlines()
        begin = "\n".join(f"    {line}" for line in lines[:_MOST_LINES_SHARED])
        more = "\n    …" if len(lines) > _MOST_LINES_SHARED else ""
        parts.append(f"I was given `{name}`. It begins so:\n\n{begin}{more}")
    return Reply(text="\n\n".join(parts)) if parts else None


def _cannot() -> Reply:
    return Reply(
        text="I cannot answer that. Ask me *What can you do?* to see what I can.\n\n"
        f"{credential_hint()}"
    )


_RULES: tuple[Callable[[_Question], Reply | None], ...] = (
    _demo,
    _written_calls,
    _arithmetic,
    _abilities,
    _mail,
    _samples,
    _person,
    _smalltalk,
    _given,
)


# --- parts of replies ------------------------------------------------------------


def _calling(text: str, *calls: ToolCall) -> Reply:
    return Reply(text=text, calls=calls, stop_reason="tool_use")


def _search(question: _Question, query: str) -> ToolCall:
    input_: dict[str, Any] = {"query": query}
    if "limit" in question.tools[_SEARCH]["input_schema"].get("properties", {}):
        input_["limit"] = 5
    return ToolCall(name=_SEARCH, input=input_)


def _tool_list(question: _Question) -> str:
    if not question.tools:
        return "I have no tools here."
    lines = ["These are my tools:", ""]
    for name, tool in sorted(question.tools.items()):
        description = str(tool.get("description") or "no description").strip()
        lines.append(f"- **{name}**: {description.splitlines()[0]}")
    return "\n".join(lines)


def _demo_bad_json(question: _Question, _argument: str) -> Reply:
    name = next(iter(sorted(question.tools)), _SEARCH)
    call = ToolCall(name=name, input='{"query": "Ada", "limit": ')
    return _calling("The input of the next call is broken JSON.", call)


def _demo_long(_question: _Question, argument: str) -> Reply:
    words = int(argument) if argument.isdecimal() and len(argument) < 6 else 500  # noqa: PLR2004
    return Reply(text=filler(min(max(words, 1), 20_000)))


def _demo_slow(_question: _Question, argument: str) -> Reply:
    try:
        pace_s = float(argument)
    except ValueError:
        pace_s = 0.25
    pace_s = pace_s if 0 <= pace_s <= 5 else 0.25  # noqa: PLR2004
    return Reply(text=filler(40), pace_s=pace_s)


_DEMO_PLANS: dict[str, Callable[[_Question, str], Reply]] = {
    "error": lambda _question, _argument: Reply(
        text="This answer ends in an error:", fault=Fault(kind="error")
    ),
    "cut": lambda _question, _argument: Reply(
        text="This answer breaks off in the middle of", fault=Fault(kind="cut")
    ),
    "stall": lambda _question, _argument: Reply(
        text="This answer stops coming, and the line stays open:",
        fault=Fault(kind="stall"),
    ),
    "refusal": lambda _question, _argument: Reply(
        text="I do not go on with this.", stop_reason="refusal"
    ),
    "badjson": _demo_bad_json,
    "long": _demo_long,
    "slow": _demo_slow,
}
