from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from typing_extensions import Unpack

from streamchat_nb.agent.accumulator import MessageAccumulator
from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelBlockStart,
    ModelBlockStop,
    ModelEvent,
    ModelMessageStop,
)
from streamchat_nb.errors import ModelError
from streamchat_nb.protocol.content import (
    ProviderBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Wire = dict[str, Any]

MESSAGE: Wire = {"id": "msg_1", "model": "m-1", "content": [], "usage": None}
START: Wire = {"type": "message_start", "message": MESSAGE}
STOP: Wire = {"type": "message_stop"}


def block_start(index: int, kind: str, **fields: object) -> Wire:
    block = {"type": kind, **fields}
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: object) -> Wire:
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": kind, **fields},
    }


def text(index: int, value: str) -> Wire:
    return delta(index, "text_delta", text=value)


def json_part(index: int, value: str) -> Wire:
    return delta(index, "input_json_delta", partial_json=value)


def block_stop(index: int) -> Wire:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None, **fields: object) -> list[Wire]:
    change = {"type": "message_delta", "delta": {"stop_reason": reason}, **fields}
    return [change, STOP]


def tool(index: int, *parts: str, **fields: object) -> list[Wire]:
    block: Wire = {"id": f"toolu_{index}", "name": "search", "input": {}, **fields}
    return [
        block_start(index, "tool_use", **block),
        *(json_part(index, part) for part in parts),
        block_stop(index),
    ]


class Options(TypedDict, total=False):
    lenient: bool
    taken_tool_ids: Callable[[], list[str]]
    undecodable_limit: int


def new_accumulator(**options: Unpack[Options]) -> MessageAccumulator:
    numbers = itertools.count(1)
    return MessageAccumulator(
        request_id="req_1", new_tool_id=lambda: f"new_{next(numbers)}", **options
    )


def feed(accumulator: MessageAccumulator, *wire: Wire | bytes) -> list[ModelEvent]:
    events: list[ModelEvent] = []
    for item in wire:
        data = item if isinstance(item, bytes) else json.dumps(item).encode()
        events.extend(accumulator.feed("", data))
    return events


def message(*wire: Wire | bytes, **options: Unpack[Options]) -> ModelMessageStop:
    accumulator = new_accumulator(**options)
    events = feed(accumulator, *wire) + accumulator.end()
    last = events.pop()
    assert isinstance(last, ModelMessageStop)
    assert not any(isinstance(event, ModelMessageStop) for event in events)
    return last


def failure(*wire: Wire | bytes, **options: Unpack[Options]) -> ModelError:
    with pytest.raises(ModelError) as caught:
        message(*wire, **options)
    assert caught.value.request_id == "req_1"
    return caught.value


# --- blocks ----------------------------------------------------------------------


def test_accumulator_text_gives_start_deltas_stop_and_message() -> None:
    events = feed(
        new_accumulator(),
        START,
        block_start(0, "text", text=""),
        text(0, "Hello"),
        text(0, ""),
        text(0, " there"),
        block_stop(0),
        *end("end_turn"),
    )
    content = TextBlock(text="Hello there")
    assert events == [
        ModelBlockStart(index=0, kind="text"),
        ModelBlockDelta(index=0, kind="text", text="Hello"),
        ModelBlockDelta(index=0, kind="text", text=" there"),
        ModelBlockStop(index=0, kind="text", content=content),
        ModelMessageStop(
            content=[content],
            stop_reason="end_turn",
            usage=Usage(),
            request_id="req_1",
            model="m-1",
        ),
    ]


def test_accumulator_text_in_the_start_counts() -> None:
    wire = [START, block_start(0, "text", text="He"), text(0, "y"), *end("end_turn")]
    assert message(*wire).content == [TextBlock(text="Hey")]


def test_accumulator_empty_text_block_is_left_out() -> None:
    stop = message(
        START,
        block_start(0, "text", text=""),
        block_stop(0),
        *tool(1, "{}"),
        *end("tool_use"),
    )
    assert [block.__class__ for block in stop.content] == [ToolUseBlock]


def test_accumulator_index_gaps_are_closed() -> None:
    accumulator = new_accumulator()
    events = feed(
        accumulator,
        START,
        text(3, "a"),
        block_stop(3),
        *tool(9, "{}"),
        *end("tool_use"),
    )
    starts = [event.index for event in events if isinstance(event, ModelBlockStart)]
    assert starts == [0, 1]


def test_accumulator_interleaved_blocks_stay_apart() -> None:
    stop = message(
        START,
        block_start(0, "text"),
        block_start(1, "text"),
        text(0, "a"),
        text(1, "b"),
        text(0, "c"),
        block_stop(1),
        block_stop(0),
        *end("end_turn"),
    )
    assert stop.content == [TextBlock(text="ac"), TextBlock(text="b")]


def test_accumulator_repeated_index_after_stop_is_a_new_block() -> None:
    once = [block_start(0, "text"), text(0, "a"), block_stop(0)]
    assert len(message(START, *once, *once, *end("end_turn")).content) == 2


def test_accumulator_repeated_index_without_stop_closes_the_text_before() -> None:
    once = [block_start(0, "text"), text(0, "a")]
    assert len(message(START, *once, *once, *end("end_turn")).content) == 2


def test_accumulator_missing_block_start_is_implied() -> None:
    stop = message(
        START,
        delta(0, "thinking_delta", thinking="hm"),
        delta(0, "signature_delta", signature="s"),
        text(1, "a"),
        *end("end_turn"),
    )
    thinking = ThinkingBlock(thinking="hm", signature="s")
    assert stop.content == [thinking, TextBlock(text="a")]


def test_accumulator_input_without_block_is_malformed() -> None:
    assert failure(START, json_part(0, "{}")).code == "model_stream_malformed"


def test_accumulator_stray_stop_and_empty_delta_are_ignored() -> None:
    stray = [block_stop(0), {"type": "content_block_delta"}, block_stop(7)]
    start: Wire = {"type": "content_block_start"}
    wire = [*stray, START, start, text(0, "a"), *end("end_turn")]
    assert message(*wire).content == [TextBlock(text="a")]


def test_accumulator_citations_are_kept_also_before_the_text() -> None:
    first, second = {"url": "https://example.org"}, {"url": "https://example.com"}
    stop = message(
        START,
        block_start(0, "text", text="", citations=[first]),
        delta(0, "citations_delta", citation=second),
        text(0, "a"),
        block_stop(0),
        *end("end_turn"),
    )
    assert stop.content == [TextBlock(text="a", citations=[first, second])]


def test_accumulator_signature_parts_are_joined() -> None:
    stop = message(
        START,
        block_start(0, "thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="a"),
        delta(0, "signature_delta", signature="x"),
        delta(0, "signature_delta", signature="y"),
        block_stop(0),
        *end("end_turn"),
    )
    assert stop.content == [ThinkingBlock(thinking="a", signature="xy")]


def test_accumulator_unsigned_thinking_has_no_signature() -> None:
    wire = [START, delta(0, "thinking_delta", thinking="a"), *end("end_turn")]
    assert message(*wire).content == [ThinkingBlock(thinking="a")]


def test_accumulator_provider_blocks_stay_verbatim() -> None:
    redacted = {"type": "redacted_thinking", "data": "opaque"}
    result = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [1]}
    events = feed(
        new_accumulator(),
        START,
        {"type": "content_block_start", "index": 0, "content_block": redacted},
        block_stop(0),
        block_start(1, "server_tool_use", id="s", name="web_search", input={}),
        json_part(1, '{"q": '),
        json_part(1, '"x"}'),
        block_stop(1),
        {"type": "content_block_start", "index": 2, "content_block": result},
        block_stop(2),
        *end("end_turn"),
    )
    stop = events[-1]
    assert isinstance(stop, ModelMessageStop)
    assert stop.content == [
        ProviderBlock(data=redacted),
        ProviderBlock(
            data={
                "type": "server_tool_use",
                "id": "s",
                "name": "web_search",
                "input": {"q": "x"},
            }
        ),
        ProviderBlock(data=result),
    ]
    kinds = {event.kind for event in events if isinstance(event, ModelBlockStart)}
    assert kinds == {"server_tool"}
    parts = [event.text for event in events if isinstance(event, ModelBlockDelta)]
    assert parts == ['{"q": ', '"x"}']


def test_accumulator_delta_of_an_unknown_block_is_merged() -> None:
    stop = message(
        START,
        block_start(0, "compaction", content=None),
        delta(0, "compaction_delta", content="Summary", encrypted_content="x"),
        block_stop(0),
        *end("end_turn"),
    )
    data = {"type": "compaction", "content": "Summary", "encrypted_content": "x"}
    assert stop.content == [ProviderBlock(data=data)]


# --- tool calls ------------------------------------------------------------------


def test_accumulator_tool_input_is_joined_and_parsed() -> None:
    stop = message(START, *tool(0, "", '{"a"', ': "é"}'), *end("tool_use"))
    assert stop.content == [ToolUseBlock(id="toolu_0", name="search", input={"a": "é"})]


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, {}), ({"a": 1}, {"a": 1}), (None, {}), ("", {}), ('{"a": 1}', {"a": 1})],
)
def test_accumulator_tool_input_of_the_start_counts_without_parts(
    given: object, expected: Wire
) -> None:
    (block,) = message(START, *tool(0, "", input=given), *end("tool_use")).content
    assert isinstance(block, ToolUseBlock)
    assert block.input == expected


@pytest.mark.parametrize(
    "part",
    [
        '{"a": ',
        '{"a": 1}}',
        '{"a": 1} {"b": 2}',
        "[1]",
        "null",
        '"text"',
        "{'a': 1}",
        '{"a": NaN}',
        '{"a": 1,}',
        '{"a": "\\ud800"}',
        "[" * 100_000,
    ],
)
def test_accumulator_tool_input_that_is_no_object_is_malformed(part: str) -> None:
    error = failure(START, *tool(0, part), *end("tool_use"))
    assert error.code == "model_stream_malformed"
    assert error.retryable


def test_accumulator_broken_tool_input_never_gives_a_block_stop() -> None:
    accumulator = new_accumulator()
    events = feed(accumulator, START, *tool(0, '{"a": '))
    assert not any(isinstance(event, ModelBlockStop) for event in events)


@pytest.mark.parametrize("reason", ["max_tokens", "length"])
def test_accumulator_tool_cut_by_the_length_is_truncated_for_good(reason: str) -> None:
    error = failure(START, *tool(0, '{"a": ')[:-1], *end(reason))
    assert (error.code, error.retryable) == ("model_stream_truncated", False)
    assert "Ask for less" in error.message


def test_accumulator_leaves_out_an_unknown_part_that_is_no_text() -> None:
    accumulator = new_accumulator()
    feed(accumulator, START, block_start(0, "web_search_tool_result"))
    part = b'{"type":"content_block_delta","index":0,"delta":{"type":"x","\x80":"y"}}'
    assert accumulator.feed("content_block_delta", part) == []
    events = feed(accumulator, block_stop(0), *end("end_turn"))
    assert isinstance(events[-1], ModelMessageStop)


def test_accumulator_tool_without_block_stop_is_malformed() -> None:
    error = failure(START, *tool(0, '{"a": 1}')[:-1], *end("tool_use"))
    assert error.code == "model_stream_malformed"


def test_accumulator_tool_whose_index_is_reused_is_malformed() -> None:
    wire = [START, *tool(0, "{}")[:-1], block_start(0, "text"), *end("tool_use")]
    assert failure(*wire).code == "model_stream_malformed"


def test_accumulator_undecodable_part_breaks_an_open_tool() -> None:
    start, stop = tool(0)[0], tool(0)[-1]
    error = failure(
        START, start, b'{"index": 0, "delta": {"par', stop, *end("tool_use")
    )
    assert error.code == "model_stream_malformed"


def test_accumulator_tool_without_name_is_malformed() -> None:
    error = failure(START, *tool(0, "{}", name=None), *end("tool_use"))
    assert error.code == "model_stream_malformed"


@pytest.mark.parametrize("bad_id", ["", None, 7, "a b", "x" * 65, "taken"])
def test_accumulator_unusable_tool_id_is_replaced(bad_id: object) -> None:
    (block,) = message(
        START,
        *tool(0, "{}", id=bad_id),
        *end("tool_use"),
        taken_tool_ids=lambda: ["taken"],
    ).content
    assert isinstance(block, ToolUseBlock)
    assert block.id == "new_1"


def test_accumulator_repeated_tool_id_is_replaced_once() -> None:
    same = {"id": "call"}
    stop = message(
        START, *tool(0, "{}", **same), *tool(1, "{}", **same), *end("tool_use")
    )
    ids = [block.id for block in stop.content if isinstance(block, ToolUseBlock)]
    assert ids == ["call", "new_1"]


def test_accumulator_own_tool_ids_are_legal_and_differ() -> None:
    accumulator = MessageAccumulator()
    wire = [START, *tool(0, id=""), *tool(1, id=""), *end("tool_use")]
    events = feed(accumulator, *wire)
    blocks = [event.content for event in events if isinstance(event, ModelBlockStop)]
    ids = {block.id for block in blocks if isinstance(block, ToolUseBlock)}
    assert len(ids) == 2
    assert all(re.fullmatch(r"toolu_[0-9a-f]{32}", id_) for id_ in ids)


# --- the end ---------------------------------------------------------------------


def test_accumulator_without_message_stop_is_truncated() -> None:
    error = failure(START, text(0, "a"), end("end_turn")[0])
    assert (error.code, error.retryable) == ("model_stream_truncated", True)


def test_accumulator_lenient_end_after_a_stop_reason_is_whole() -> None:
    stop = message(START, text(0, "a"), end("stop")[0], lenient=True)
    assert stop.stop_reason == "stop"
    assert stop.content == [TextBlock(text="a")]


def test_accumulator_lenient_end_without_stop_reason_is_truncated() -> None:
    error = failure(START, text(0, "a"), b"[DONE]", lenient=True)
    assert error.code == "model_stream_truncated"


@pytest.mark.parametrize(
    "reason", [None, "end_turn", "stop", "tool_calls", "function_call", "tool_use"]
)
def test_accumulator_lenient_tools_count_under_ordinary_stop_reasons(
    reason: str | None,
) -> None:
    stop = message(START, *tool(0, "{}"), *end(reason), lenient=True)
    assert stop.stop_reason == "tool_use"


@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "pause_turn"])
def test_accumulator_lenient_tools_do_not_count_under_others(reason: str) -> None:
    stop = message(START, *tool(0, "{}"), *end(reason), lenient=True)
    assert stop.stop_reason == reason


def test_accumulator_strict_stop_reason_is_kept() -> None:
    assert message(START, *tool(0, "{}"), *end("end_turn")).stop_reason == "end_turn"
    assert message(START, text(0, "a"), STOP).stop_reason == "end_turn"


def test_accumulator_ignores_what_follows_the_end() -> None:
    accumulator = new_accumulator()
    feed(accumulator, START, text(0, "a"), *end("end_turn"))
    assert accumulator.complete
    error: Wire = {"type": "error", "error": {"type": "api_error"}}
    assert feed(accumulator, START, text(0, "b"), error, b"{") == []
    assert accumulator.end() == []


def test_accumulator_repeated_message_start_before_content_is_taken() -> None:
    second = {**START, "message": {**MESSAGE, "model": "m-2"}}
    stop = message(START, second, text(0, "a"), *end("end_turn"))
    assert stop.model == "m-2"


@pytest.mark.parametrize("before", [text(0, "a"), block_start(0, "text", text="")])
def test_accumulator_second_message_inside_the_first_is_malformed(before: Wire) -> None:
    assert failure(START, before, START).code == "model_stream_malformed"


def test_accumulator_message_start_with_content_gives_its_blocks() -> None:
    content = [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}]
    start = {**MESSAGE, "content": content, "stop_reason": "tool_use"}
    stop = message({"type": "message_start", "message": start}, STOP)
    assert stop.content == [ToolUseBlock(id="t", name="n", input={"a": 1})]
    assert stop.stop_reason == "tool_use"


def test_accumulator_whole_message_in_one_event_is_taken() -> None:
    body = {
        "type": "message",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": ""}],
        "stop_reason": "stop_sequence",
        "usage": {"output_tokens": 1},
    }
    stop = message(body)
    assert stop.content == [TextBlock(text="a")]
    assert (stop.stop_reason, stop.usage) == ("stop_sequence", Usage(output_tokens=1))


def test_accumulator_message_of_another_api_is_ignored() -> None:
    error = failure({"type": "message", "content": "text"})
    assert error.code == "model_stream_truncated"


# --- usage -----------------------------------------------------------------------


def test_accumulator_usage_is_cumulative_and_missing_means_keep() -> None:
    first = {"input_tokens": 7, "output_tokens": 1, "cache_read_input_tokens": 5}
    start = {**START, "message": {**MESSAGE, "usage": first}}
    later: Wire = {"output_tokens": 9, "cache_read_input_tokens": None, "other": {}}
    stop = message(start, text(0, "a"), *end("end_turn", usage=later))
    assert stop.usage == Usage(
        input_tokens=7, output_tokens=9, cache_read_input_tokens=5
    )


@pytest.mark.parametrize("usage", [None, [], "x", {"output_tokens": "9"}])
def test_accumulator_unusable_usage_is_no_usage(usage: object) -> None:
    assert message(START, text(0, "a"), *end("end_turn", usage=usage)).usage == Usage()


# --- what is survived, and what is not -------------------------------------------


def test_accumulator_unknown_events_and_pings_change_nothing() -> None:
    noise: list[Wire | bytes] = [
        {"type": "ping"},
        {"type": "future_event", "delta": 7, "usage": {"output_tokens": 99}},
        {"no": "type"},
        b"[DONE]",
        b" [DONE]\n",
    ]
    accumulator = new_accumulator(undecodable_limit=0)
    for item in noise:
        assert feed(accumulator, item) == []
    assert accumulator.progress == 0


def test_accumulator_event_name_is_used_where_data_has_no_type() -> None:
    accumulator = new_accumulator()
    accumulator.feed("content_block_delta", b'{"index":0,"delta":{"text":"a"}}')
    (_, stop) = accumulator.feed("message_stop", b"{}")
    assert isinstance(stop, ModelMessageStop)
    assert stop.content == [TextBlock(text="a")]


def test_accumulator_type_in_the_data_goes_before_the_name() -> None:
    accumulator = new_accumulator()
    assert accumulator.feed("message_stop", b'{"type":"ping"}') == []
    assert not accumulator.complete


@pytest.mark.parametrize(
    "bad", [b"{", b"", b"\xff", b'{"type": 3}', b'{"type":"message_delta","delta":3}']
)
def test_accumulator_undecodable_events_are_bounded(bad: bytes) -> None:
    wire = [START, text(0, "a"), bad, bad, *end("end_turn")]
    assert message(*wire, undecodable_limit=2).content == [TextBlock(text="a")]
    assert failure(*wire, undecodable_limit=1).code == "model_stream_malformed"


def test_accumulator_lost_stop_reason_is_malformed() -> None:
    error = failure(START, text(0, "a"), b'{"type":"message_delta","del', STOP)
    assert error.code == "model_stream_malformed"


@pytest.mark.parametrize(
    ("error_type", "code", "retryable"),
    [
        ("overloaded_error", "model_overloaded", True),
        ("rate_limit_error", "model_rate_limited", True),
        ("api_error", "model_server_error", True),
        ("timeout_error", "model_timeout", True),
        ("authentication_error", "model_authentication", False),
        ("billing_error", "model_permission", False),
        ("permission_error", "model_permission", False),
        ("not_found_error", "model_not_found", False),
        ("invalid_request_error", "model_request_invalid", False),
        ("request_too_large", "model_request_too_large", False),
        ("something_new", "model_server_error", True),
        (None, "model_server_error", True),
    ],
)
def test_accumulator_error_in_the_stream_has_its_code(
    error_type: str | None, code: str, *, retryable: bool
) -> None:
    body = {"type": error_type, "message": "Words of the endpoint."}
    error = failure(START, text(0, "a"), {"type": "error", "error": body})
    assert (error.code, error.retryable) == (code, retryable)
    assert "Words of the endpoint." in error.message


@pytest.mark.parametrize(
    "wire",
    [
        {"error": "Words of the endpoint."},
        {"error": {"message": "Words of the endpoint."}},
        {"type": "error", "message": "Words of the endpoint."},
    ],
)
def test_accumulator_error_of_another_shape_is_an_error(wire: Wire) -> None:
    error = failure(START, wire)
    assert error.code == "model_server_error"
    assert "Words of the endpoint." in error.message


def test_accumulator_error_keeps_keys_out_of_the_message() -> None:
    body = {"type": "api_error", "message": "Bad key sk-ant-secret123 given"}
    error = failure(START, {"type": "error", "error": body})
    assert "secret123" not in str(error)


def test_accumulator_progress_counts_events_of_the_answer() -> None:
    accumulator = new_accumulator()
    feed(accumulator, START, {"type": "ping"}, text(0, "a"), b"{", {"type": "x"})
    assert accumulator.progress == 2
