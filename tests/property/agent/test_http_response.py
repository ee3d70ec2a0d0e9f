from __future__ import annotations

from itertools import pairwise

import httpx2
from hypothesis import given
from hypothesis import strategies as st

from streamchat_nb.agent.http_response import HttpResponse

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    places=st.lists(st.integers(min_value=0), max_size=8),
)
def test_chunks_come_out_as_they_were_put_in(
    chunks: list[bytes], places: list[int]
) -> None:
    sent = b"".join(b"%X\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    response = HttpResponse("POST")
    body = b"".join(map(response.feed, cut(HEAD + sent + b"0\r\n\r\n", places)))
    assert body == b"".join(chunks)
    assert response.complete
    assert response.keeps_connection


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    size_line=st.sampled_from(
        [b"%x\r\n", b"%X\r\n", b"0%x\r\n", b"%x;a=b\r\n", b"%x\n"]
    ),
)
def test_each_chunk_that_comes_alone_is_given_alone(
    chunks: list[bytes], size_line: bytes
) -> None:
    response = HttpResponse("POST")
    response.feed(HEAD)
    for chunk in chunks:
        assert response.feed(size_line % len(chunk) + chunk + b"\r\n") == chunk
    assert response.feed(b"0\r\n\r\n") == b""
    assert response.keeps_connection


@given(
    soup=st.lists(
        st.sampled_from([b"\r\n", b"\n", b"\r", b"0", b"5", b"a", b":", b" ", b";"])
        | st.binary(max_size=6),
        max_size=30,
    ),
    begins=st.sampled_from([b"", HEAD, HEAD + b"5\r\nHello\r\n"]),
)
def test_any_bytes_are_read_or_refused(soup: list[bytes], begins: bytes) -> None:
    response = HttpResponse("POST")
    try:
        response.feed(begins)
        for piece in soup:
            response.feed(piece)
        response.end()
    except httpx2.RemoteProtocolError:
        return
    assert response.complete
