from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from streamchat_nb.agent.cassette_exchange import Exchange, Take
from streamchat_nb.agent.cassette_lines import decode_exchanges, encode_exchanges
from streamchat_nb.agent.cassette_request import Canon, CanonicalRequest
from streamchat_nb.agent.cassette_secrets import Scrubber
from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelBlockStart,
    ModelBlockStop,
    ModelEvent,
    ModelMessageStop,
    ModelRequest,
)
from streamchat_nb.errors import ModelError
from streamchat_nb.protocol.content import (
    ErrorBody,
    ProviderBlock,
    TextBlock,
    ThinkingBlock,
    Usage,
)
from streamchat_nb.testing.scripted_model import script, tool_use

USER = {"role": "user", "content": [{"type": "text", "text": "Grüße\u2028!"}]}
TOOL = {"name": "add", "description": "", "input_schema": {"type": "object"}}
ASK = ModelRequest(messages=[USER], system="Be brief.", tools=[TOOL], max_tokens=9)
ALL_KINDS = script(
    ThinkingBlock(thinking="Let me see", signature="c2lnbg=="),
    "One two",
    tool_use("add", {"b": 1, "a": [2.5, None, "x"]}),
    ProviderBlock(data={"type": "server_tool_use", "id": "s1"}),
    usage=Usage(input_tokens=3, output_tokens=4),
)


def canonical(request: ModelRequest) -> CanonicalRequest:
    return Canon(Scrubber()).request(request)


def exchange_of(
    *events: ModelEvent, request: ModelRequest = ASK, failure: ErrorBody | None = None
) -> Exchange:
    count = len(events) + (failure is not None)
    return Exchange(
        request=canonical(request),
        model="claude",
        events=events,
        offsets_ms=tuple(range(count)),
        failure=failure,
    )


def test_exchanges_come_back_as_they_were() -> None:
    failure = ErrorBody(
        code="model_overloaded",
        message="Busy.",
        retryable=True,
        retry_after_ms=20,
        details={"status": 529},
    )
    exchanges = [
        exchange_of(*ALL_KINDS),
        exchange_of(*ALL_KINDS[:4], failure=failure),
        exchange_of(failure=failure),
        exchange_of(
            *script("Bye"), request=replace(ASK, tool_choice="none", system="")
        ),
    ]
    data = encode_exchanges(exchanges)
    assert decode_exchanges(data) == exchanges
    assert encode_exchanges(decode_exchanges(data)) == data


def test_interleaved_blocks_and_another_content_come_back() -> None:
    first, second = TextBlock(text="ab"), TextBlock(text="c")
    events: list[ModelEvent] = [
        ModelBlockStart(index=1, kind="text"),
        ModelBlockDelta(index=1, kind="text", text="a"),
        ModelBlockStart(index=0, kind="text"),
        ModelBlockDelta(index=0, kind="text", text="c"),
        ModelBlockDelta(index=1, kind="text", text="b"),
        ModelBlockStop(index=1, kind="text", content=first),
        ModelBlockStop(index=0, kind="text", content=second),
        ModelMessageStop(content=[first], stop_reason="end_turn", usage=Usage()),
    ]
    exchange = exchange_of(*events)
    assert decode_exchanges(encode_exchanges([exchange])) == [exchange]


def test_file_reads_well_and_says_everything_once() -> None:
    longer = replace(ASK, messages=[USER, {"role": "assistant", "content": "Hi"}, USER])
    data = encode_exchanges(
        [exchange_of(*script("Hello there")), exchange_of(request=longer)]
    )
    lines = data.decode().rstrip("\n").split("\n")
    assert lines[0] == '{"format":"streamchat-cassette","version":1}'
    assert [json.loads(line).get("line") for line in lines[1:]] == [
        *("part", "part", "part", "request"),
        *("block_start", "block_delta", "block_stop", "message_stop", "timing"),
        *("part", "request", "timing"),
    ]
    assert '"pieces":["Hello ","there"]' in lines[6]
    assert "Grüße\u2028!" in lines[3]
    for line in lines:
        text = msgspec.json.encode(json.loads(line), order="sorted").decode()
        assert text == line


def test_same_exchanges_give_the_same_bytes() -> None:
    other_order = replace(ASK, tools=[dict(reversed(TOOL.items()))])
    one = encode_exchanges([exchange_of(*ALL_KINDS)])
    assert encode_exchanges([exchange_of(*ALL_KINDS, request=other_order)]) == one


def test_hand_made_file_may_leave_out_timings_and_ends() -> None:
    text = """{"format": "streamchat-cassette", "version": 1}

{"line": "part", "id": "question", "value": {"role": "user", "content": "Hi"}}
{"line": "request", "model": "m", "messages": ["question"], "max_tokens": 5}
{"line": "block_start", "index": 0, "kind": "text"}
"""
    (exchange,) = decode_exchanges(text.encode())
    (message,) = exchange.request.messages
    assert message.value == {"role": "user", "content": "Hi"}
    assert exchange.offsets_ms == (0, 0)
    error = exchange.error()
    assert error is not None
    assert (error.code, error.retryable) == ("model_stream_truncated", True)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["id,name"], "Line 1"),
        (['{"format":"other","version":1}'], "Line 1: it does not say"),
        (['{"format":"streamchat-cassette","version":2}'], "Line 1: version 2 needs"),
        (["", '{"line":"timing","offsets_ms":[]}'], "Line 3: it belongs to no request"),
        (["{"], "Line 2"),
        (['{"line":"nothing"}'], "Line 2"),
        (
            ['{"line":"request","model":"m","messages":["x"],"max_tokens":1}'],
            "Line 2: no line before has the part 'x'",
        ),
        (
            [
                '{"line":"part","id":"x","value":"text"}',
                '{"line":"request","model":"m","messages":["x"],"max_tokens":1}',
            ],
            "Line 3: a part is of the wrong kind",
        ),
    ],
)
def test_wrong_line_is_named(lines: list[str], reason: str) -> None:
    header = (
        [] if "Line 1" in reason else ['{"format":"streamchat-cassette","version":1}']
    )
    with pytest.raises(ModelError, match=reason) as caught:
        decode_exchanges("\n".join([*header, *lines]).encode())
    assert caught.value.code == "model_cassette_invalid"
    assert not caught.value.retryable


def take_of(*events: ModelEvent, secrets: tuple[str, ...] = ()) -> Exchange:
    seconds = iter(n / 100 for n in range(100))
    take = Take(canonical(ASK), model="claude", elapsed_s=lambda: next(seconds))
    for event in events:
        take.add(event)
    return take.finish(Scrubber(secrets))


def test_take_keeps_everything_but_the_request_id() -> None:
    stop = ALL_KINDS[-1]
    assert isinstance(stop, ModelMessageStop)
    exchange = take_of(
        *ALL_KINDS[:-1], msgspec.structs.replace(stop, request_id="req_1")
    )
    assert exchange.events == tuple(ALL_KINDS)
    assert exchange.offsets_ms == tuple(range(0, 10 * len(ALL_KINDS), 10))


def test_take_finds_a_secret_that_came_in_pieces() -> None:
    secret = "canary-0123456789"
    text = TextBlock(text=f"It is {secret}.")
    call = tool_use("add", {"to": secret, "password": "horse"})
    events: list[ModelEvent] = [
        ModelBlockStart(index=0, kind="text"),
        *(ModelBlockDelta(index=0, kind="text", text=c) for c in text.text),
        ModelBlockStop(index=0, kind="text", content=text),
        ModelBlockStart(index=1, kind="tool_use"),
        *(
            ModelBlockDelta(index=1, kind="tool_use", text=c)
            for c in json.dumps(call.input)
        ),
        ModelBlockStop(index=1, kind="tool_use", content=call),
        ModelMessageStop(content=[text, call], stop_reason="tool_use", usage=Usage()),
    ]
    exchange = take_of(*events, secrets=(secret,))
    data = encode_exchanges([exchange]).decode()
    assert "canary" not in data
    assert "horse" not in data
    said = {0: "", 1: ""}
    for event in exchange.events:
        if isinstance(event, ModelBlockDelta):
            assert event.text
            said[event.index] += event.text
    assert said[0] == "It is [removed]."
    safe = {"to": "[removed]", "password": "[removed]"}
    assert json.loads(said[1]) == safe
    assert decode_exchanges(data.encode()) == [exchange]
