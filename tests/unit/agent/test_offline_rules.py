from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from streamchat_nb.agent.offline_rules import BANNER, Fault, Reply, plan_reply
from streamchat_nb.agent.offline_samples import DEMOS, SAMPLES, filler
from streamchat_nb.tools.contacts import search_contacts
from streamchat_nb.tools.registry import ToolSet
from streamchat_nb.tools.tool import ToolContext

Request = dict[str, Any]

CONTACTS = ToolSet([search_contacts]).definitions()
CLOCK: Request = {
    "name": "clock",
    "description": "Tell the time.\nIn detail.",
    "input_schema": {
        "type": "object",
        "properties": {"zone": {"type": "string", "default": "UTC"}},
        "required": ["zone"],
    },
}


def request(
    text: str, *, tools: list[Request] | None = None, first: bool = False
) -> Request:
    earlier = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
    ]
    return {
        "model": "offline-demo",
        "messages": [
            *([] if first else earlier),
            {"role": "user", "content": [{"type": "text", "text": text}]},
        ],
        "tools": CONTACTS if tools is None else tools,
    }


def reply(text: str, *, tools: list[Request] | None = None) -> Reply:
    return plan_reply(request(text, tools=tools))


def calls(answer: Reply) -> list[tuple[str, object]]:
    assert answer.stop_reason == ("tool_use" if answer.calls else "end_turn")
    return [(call.name, call.input) for call in answer.calls]


def after_results(*results: Request, text: str = "") -> Reply:
    """Plan the reply to tool results, the first of ``clock``, others of ``other``."""
    names = ["clock", *(f"other_{number}" for number in range(1, len(results)))]
    uses: list[Request] = [
        {"type": "tool_use", "id": f"t{number}", "name": name, "input": {}}
        for number, name in enumerate(names)
    ]
    blocks: list[Request] = [
        {"type": "tool_result", "tool_use_id": f"t{number}", **result}
        for number, result in enumerate(results)
    ]
    if text:
        blocks.append({"type": "text", "text": text})
    messages: list[Request] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": uses},
        {"role": "user", "content": blocks},
    ]
    answer = plan_reply({"messages": messages, "tools": CONTACTS})
    assert calls(answer) == []
    return answer


# --- the banner ------------------------------------------------------------------


def test_rules_banner_is_the_sentence_of_the_design() -> None:
    assert BANNER == (
        "Offline demo. No language model is running; I follow fixed rules."
    )


@pytest.mark.parametrize(
    "text", ["hello", "Who is Ada?", "anything", "/demo cut", "/demo refusal", "2+2"]
)
def test_rules_first_reply_of_a_conversation_begins_with_the_banner(text: str) -> None:
    first = plan_reply(request(text, first=True))
    assert first.text.splitlines()[:2] == [BANNER, ""]
    assert BANNER not in plan_reply(request(text)).text


def test_rules_reply_to_results_has_no_banner() -> None:
    assert BANNER not in after_results({"content": "noon"}).text


@pytest.mark.parametrize("text", ["Who is Ada?", "show a table", "/demo long 50", "?"])
def test_rules_same_request_gives_the_same_reply(text: str) -> None:
    assert reply(text) == reply(text)


def test_rules_plain_text_content_is_read() -> None:
    message = {"role": "user", "content": "2+2"}
    assert "**4**" in plan_reply({"messages": [message]}).text


# --- tools -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Who is Ada?", "Ada"),
        ("who's Grace Hopper", "Grace Hopper"),
        ("Who works at IBM?", "IBM"),
        ("find Turing", "Turing"),
        ("Find people in London!", "people in London"),
        ("search contacts for compiler", "compiler"),
        ("search the contacts for 'compiler'", "compiler"),
        ("please look up Ada", "Ada"),
    ],
)
def test_rules_question_about_a_person_searches(text: str, query: str) -> None:
    expected = [("search_contacts", {"query": query, "limit": 5})]
    assert calls(reply(text)) == expected


def test_rules_search_respects_the_schema_of_the_tool() -> None:
    schema = {"type": "object", "properties": {"query": {"type": "string"}}}
    tool = {"name": "search_contacts", "input_schema": schema}
    assert calls(reply("Who is Ada?", tools=[tool])) == [
        ("search_contacts", {"query": "Ada"})
    ]


def test_rules_person_without_the_tool_is_explained() -> None:
    answer = reply("Who is Ada?", tools=[CLOCK])
    assert calls(answer) == []
    assert "no `search_contacts` tool" in answer.text
    assert "**clock**: Tell the time.\n" in answer.text + "\n"


def test_rules_written_calls_run_together() -> None:
    text = 'call search_contacts {"query": "Ada"} and clock'
    assert calls(reply(text, tools=[*CONTACTS, CLOCK])) == [
        ("search_contacts", {"query": "Ada"}),
        ("clock", {"zone": "UTC"}),
    ]


def test_rules_written_call_of_an_unknown_tool_lists_the_tools() -> None:
    answer = reply("call nothing {}")
    assert calls(answer) == []
    assert "no tool `nothing`" in answer.text
    assert "search_contacts" in answer.text


def test_rules_broken_written_call_is_explained() -> None:
    answer = reply("call search_contacts {query}")
    assert calls(answer) == []
    assert "not a JSON object" in answer.text


def test_rules_without_tools_there_are_no_calls() -> None:
    body = request("Who is Ada?")
    answer = plan_reply({**body, "tool_choice": {"type": "none"}})
    assert calls(answer) == []
    assert "I have no tools here." in answer.text


@pytest.mark.parametrize(
    "text", ["What can you do?", "tools", "/tools", "help", "List your tools.", "HELP"]
)
def test_rules_abilities_list_the_tools_and_the_way_out(text: str) -> None:
    answer = reply(text)
    assert "- **search_contacts**: Search the address book" in answer.text
    assert "ANTHROPIC_API_KEY" in answer.text


# --- results ---------------------------------------------------------------------


def test_rules_result_of_the_contacts_is_reported_word_for_word() -> None:
    context = ToolContext(
        conversation="c",
        turn="t",
        tool_call="x",
        report=lambda _text, _fraction: None,
        is_cancelled=lambda: False,
    )
    result = asyncio.run(search_contacts.call({"query": "Ada", "limit": 5}, context))
    answer = after_results({"content": result.output})
    assert result.output in answer.text
    assert answer.text.startswith("`clock` says:")
    assert answer.text.endswith("word for word.")


def test_rules_plain_result_is_quoted() -> None:
    assert "\n> noon\n" in after_results({"content": "noon"}).text


def test_rules_json_result_is_shown_as_code() -> None:
    text = after_results({"content": '{"a": ["é"]}'}).text
    assert '```json\n{\n  "a": [\n    "é"\n  ]\n}\n```' in text


def test_rules_result_like_json_is_quoted() -> None:
    assert "> {broken" in after_results({"content": "{broken"}).text


def test_rules_result_of_blocks_is_joined() -> None:
    blocks: list[Request] = [
        {"type": "text", "text": "one"},
        {"type": "text", "text": "two"},
        {"type": "image", "source": {}},
    ]
    assert "    one\n    two\n    (image)" in after_results({"content": blocks}).text


@pytest.mark.parametrize("content", [None, "", " ", []])
def test_rules_empty_result_is_told(content: object) -> None:
    assert "> (nothing)" in after_results({"content": content}).text


def test_rules_error_result_is_told_as_one() -> None:
    answer = after_results({"content": "It broke.", "is_error": True})
    assert "`clock` failed:\n\n> It broke." in answer.text


def test_rules_several_results_are_all_reported() -> None:
    answer = after_results({"content": "noon"}, {"content": "night"})
    assert "> noon" in answer.text
    assert "`other_1` says:\n\n> night" in answer.text
    assert "Those are 2 answers" in answer.text


def test_rules_result_without_its_call_is_reported() -> None:
    result = {"type": "tool_result", "tool_use_id": "gone", "content": "noon"}
    answer = plan_reply({"messages": [{"role": "user", "content": [result]}]})
    assert "`the tool` says" in answer.text


def test_rules_long_result_is_cut() -> None:
    answer = after_results({"content": "x" * 100_000})
    assert len(answer.text) < 7_000
    assert "Cut here" in answer.text


def test_rules_note_beside_results_without_tools_ends_with_them() -> None:
    results = [{"type": "tool_result", "tool_use_id": "t0", "content": "noon"}]
    asked = conversation("Who?", [], [*results, {"type": "text", "text": "Finish now"}])
    assert "noon" in plan_reply({**asked, "tool_choice": {"type": "none"}}).text


# --- texts -----------------------------------------------------------------------


def test_rules_arithmetic() -> None:
    assert reply("what is 2 * (3 + 4)?").text == "`2 * (3 + 4)` = **14**"
    assert reply("1/0").text == "`1/0`: Division by zero has no result."


@pytest.mark.parametrize("what", sorted(SAMPLES))
def test_rules_samples_are_shown(what: str) -> None:
    tools: list[Request] = []
    assert reply(f"show me some {what}", tools=tools).text == SAMPLES[what]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("show a table", "|--:|"),
        ("show code", "```python"),
        ("show math", "$$"),
        ("show a link, please", "](https://jupyter.org)"),
        ("show a list", "1. Read"),
    ],
)
def test_rules_sample_by_its_common_name(text: str, mark: str) -> None:
    assert mark in reply(text).text


def test_rules_code_of_the_sample_is_right() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", SAMPLES["code"], re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own sample, that readers will paste
    assert str(names["bernoulli"](9)[8]) == "-1/30"


def test_rules_buttons_come_from_a_tool() -> None:
    assert calls(reply("show buttons"))[0][0] == "search_contacts"


@pytest.mark.parametrize(
    ("text", "to"),
    [
        (
            "Draft a mail to Ada Lovelace <ada@example.com>",
            "**To:** Ada Lovelace, [ada@example.com](mailto:ada@example.com)",
        ),
        ("write an e-mail to Ada.", "**To:** Ada"),
    ],
)
def test_rules_mail_is_drafted(text: str, to: str) -> None:
    answer = reply(text)
    assert to in answer.text
    assert "> Dear Ada," in answer.text


@pytest.mark.parametrize("text", ["Hello", "hi there!", "Good morning"])
def test_rules_greeting(text: str) -> None:
    assert reply(text).text.startswith("Hello!")


def test_rules_thanks_and_faults_that_are_over() -> None:
    assert reply("thanks a lot").text == "You are welcome."
    assert "this is the answer" in reply("/fault once 529").text


@pytest.mark.parametrize("text", ["", "What is love?", "show me the money", "hideous"])
def test_rules_anything_else_is_not_pretended(text: str) -> None:
    answer = reply(text)
    assert answer.text.startswith("I cannot answer that.")
    assert "ANTHROPIC_API_KEY" in answer.text
    assert "base_url" in answer.text


# --- faults to show --------------------------------------------------------------


@pytest.mark.parametrize("text", ["/demo", "/demo nonsense"])
def test_rules_demo_lists_what_there_is(text: str) -> None:
    assert all(f"`/demo {name}`" in reply(text).text for name in DEMOS)


@pytest.mark.parametrize("kind", ["error", "cut", "stall"])
def test_rules_demo_faults(kind: str) -> None:
    fault = reply(f"/demo {kind}").fault
    assert fault is not None
    assert fault == Fault(kind=fault.kind)
    assert fault.kind == kind


def test_rules_demo_refusal() -> None:
    assert reply("/demo refusal").stop_reason == "refusal"


@pytest.mark.parametrize("tools", [CONTACTS, []])
def test_rules_demo_bad_json(tools: list[Request]) -> None:
    (call,) = reply("/demo badjson", tools=tools).calls
    assert call.name == "search_contacts"
    assert isinstance(call.input, str)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/demo long", 500),
        ("/demo long 7", 7),
        ("/demo long 0", 1),
        ("/demo long 99999", 20_000),
        ("/demo long 999999", 500),
        ("/demo long many", 500),
    ],
)
def test_rules_demo_long_has_that_many_words(text: str, words: int) -> None:
    assert len(reply(text).text.split()) == words


@pytest.mark.parametrize(
    ("text", "pace_s"),
    [
        ("/demo slow", 0.25),
        ("/demo slow 0.01", 0.01),
        ("/demo slow 99", 0.25),
        ("/demo slow nan", 0.25),
        ("/demo slow x", 0.25),
    ],
)
def test_rules_demo_slow_has_its_pace(text: str, pace_s: float) -> None:
    assert reply(text).pace_s == pace_s


def test_filler_is_in_paragraphs() -> None:
    assert filler(200).count("\n\n") >= 2
    assert filler(0) == ""


def conversation(*texts: str | list[Request]) -> Request:
    """Return a request of texts by user and assistant in turn, the user first."""
    return {
        "messages": [
            {
                "role": "user" if number % 2 == 0 else "assistant",
                "content": [{"type": "text", "text": text}]
                if isinstance(text, str)
                else text,
            }
            for number, text in enumerate(texts)
        ],
        "tools": CONTACTS,
    }


@pytest.mark.parametrize("seen", [1, 40, 400])
def test_broken_off_answer_goes_on_where_it_stopped(seen: int) -> None:
    question = "/demo long 200"
    whole = plan_reply(conversation(question)).text
    again = "Please continue where you stopped."
    rest = plan_reply(conversation(question, whole[:seen], again)).text
    assert "".join(f"{whole[:seen]}{rest}".split()) == "".join(whole.split())
    # Broken off twice: it goes on with the first question, not with the request.
    part = rest[:30]
    last = plan_reply(conversation(question, whole[:seen], again, part, "continue"))
    assert "".join(f"{whole[:seen]}{part}{last.text}".split()) == "".join(whole.split())


def test_continue_with_nothing_said_or_everything_said() -> None:
    assert "nothing yet" in plan_reply(conversation("continue")).text
    whole = plan_reply(conversation("hello")).text
    said = plan_reply(conversation("hello", whole, "Go on."))
    assert said == Reply(text="That was all I had to say.")
    # Broken off before the first word: both texts stand in one message.
    both = [{"type": "text", "text": text} for text in ("hello", "continue")]
    assert plan_reply(conversation(both)).text == whole
    strange = plan_reply(conversation("hello", "Something else", "continue"))
    assert "Ask me once more" in strange.text


def test_continue_after_a_cut_tool_call_calls_no_tool() -> None:
    use: Request = {"type": "tool_use", "id": "t0", "name": "x", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t0", "content": "No result"}
    go_on = {"type": "text", "text": "Please continue where you stopped."}
    answer = plan_reply(
        conversation(
            "Who is Ada?",
            [{"type": "text", "text": "I look."}, use],
            [{**result, "is_error": True}, go_on],
        )
    )
    assert not answer.calls
    assert "`x`" in answer.text


def test_question_beside_tool_results_is_the_one_answered() -> None:
    use: Request = {"type": "tool_use", "id": "t0", "name": "x", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t0", "content": "Ada"}
    answer = plan_reply(
        conversation("Who is Ada?", [use], [result, {"type": "text", "text": "1 + 1"}])
    )
    assert "**2**" in answer.text
