"""Whatever a log holds, AG-UI's rules hold: what begins ends, and the run ends once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import ErrorBody, TextBlock, ThinkingBlock
from streamchat_nb.server.agui_events import RunNames, RunTranslation
from streamchat_nb.server.agui_messages import Transcript
from streamchat_nb.server.agui_stream import MessageStream
from streamchat_nb.server.agui_waiting import WAITS_FOR_APPLICATION
from tests.property.test_fold import events
from tests.unit.server.agui_reader import Reader

calls = st.sampled_from(["c1", "c2"])
approvals = st.sampled_from(["a1", "a2"])
asking = st.one_of(
    st.builds(
        e.ToolApprovalRequested,
        approval=approvals,
        tool_call=calls,
        input_hash=st.just("h"),
        prompt=st.just("May I?"),
        risk=st.just("write"),
        turn=st.just("t1"),
    ),
    st.builds(
        e.ToolProgress,
        tool_call=calls,
        message=st.just(WAITS_FOR_APPLICATION),
        turn=st.just("t1"),
    ),
)
ids = st.frozensets(st.sampled_from(["c1", "c2", "a1", "a2"]), max_size=3)
pieces = st.lists(
    st.tuples(st.sampled_from(["text", "thinking"]), st.sampled_from(["", "a", " b"])),
    max_size=6,
)


@given(st.lists(events | asking, max_size=40), ids, ids, st.booleans())
def test_any_log_is_a_run_with_one_end(
    log: list[e.Event | e.UnknownEvent],
    answered: frozenset[str],
    open_: frozenset[str],
    is_given: bool,
) -> None:
    run = RunTranslation(
        names=RunNames(thread="t", run="r", conversation="c", turn="t1"),
        history=Transcript(),
        answered=answered,
        given=answered if is_given else frozenset(),
        is_open=open_.__contains__,
    )
    reader = Reader()
    reader.read(run.start())
    for event in log:
        reader.read(run.take(event))
    reader.read(run.fail(ErrorBody(code="cut", message="The log ends here.")))
    ends = [kind for kind in reader.types if kind in ("RUN_FINISHED", "RUN_ERROR")]
    assert len(ends) == 1
    assert reader.types[-1] == ends[0]


@given(pieces, st.data())
def test_streamed_and_final_content_show_the_same(
    blocks: list[tuple[str, str]], data: st.DataObject
) -> None:
    """However much of a message was streamed, its completion brings the rest."""
    content = [
        TextBlock(text=text) if kind == "text" else ThinkingBlock(thinking=text)
        for kind, text in blocks
    ]
    streamed = data.draw(st.integers(0, len(blocks)))
    stream, reader = MessageStream("m"), Reader()
    reader.types.append("RUN_STARTED")
    for kind, text in blocks[:streamed]:
        kind_ = "text" if kind == "text" else "thinking"
        reader.read(stream.begin_block(kind_))
        cut = data.draw(st.integers(0, len(text)))
        reader.read(stream.add(kind_, text[:cut]))
        reader.read(stream.add(kind_, text[cut:]))
    completed, fits = stream.complete(content)
    reader.read(completed)
    assert fits
    texts = "".join(text for kind, text in blocks if kind == "text")
    shown = [text for id_, text in reader.texts.items() if ".r" not in id_]
    assert "".join(shown) == texts
    thoughts = [text for kind, text in blocks if kind == "thinking" and text]
    assert [text for id_, text in reader.texts.items() if ".r" in id_] == thoughts
