from __future__ import annotations

import pytest
from httpx2 import RemoteProtocolError

from streamchat_nb.agent.http_response import HttpResponse

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EARLY = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
BODY = b"5\r\nHello\r\n7;last=no\r\n, world\r\n0\r\n"


def read(*pieces: bytes, method: str = "POST") -> tuple[HttpResponse, bytes]:
    response = HttpResponse(method)
    return response, b"".join([response.feed(piece) for piece in pieces])


WHOLE = [
    (CHUNKED + BODY + b"\r\n", b"Hello, world", True),
    (CHUNKED + BODY + b"Checked: yes\r\nTwice: yes\r\n\r\n", b"Hello, world", True),
    (HEAD + b"Content-Length: 5\r\n\r\nHello", b"Hello", True),
    (HEAD + b"Content-Length: 5, 5\r\n\r\nHello", b"Hello", True),
    (HEAD + b"Content-Length: 0\r\n\r\n", b"", True),
    (HEAD + b"connection: Close\r\ncontent-length: 1\r\n\r\nx", b"x", False),
    (HEAD.replace(b"1.1", b"1.0") + b"Content-Length: 1\r\n\r\nx", b"x", False),
    (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
        b"x",
        True,
    ),
    (
        b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED + BODY + b"\r\n",
        b"Hello, world",
        True,
    ),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", b"", True),
    (b"HTTP/1.1 200\nContent-Length: 2\n\nok", b"ok", True),
]


@pytest.mark.parametrize(("data", "body", "is_kept"), WHOLE)
def test_response_is_read_alike_however_it_is_cut(
    data: bytes, body: bytes, is_kept: bool
) -> None:
    cuts = [[data], [data[i : i + 1] for i in range(len(data))]]
    cuts += [[data[:cut], data[cut:]] for cut in range(1, len(data))]
    for pieces in cuts:
        response, read_body = read(*pieces)
        assert (read_body, response.complete) == (body, True)
        assert response.keeps_connection is is_kept


def test_head_is_as_it_was_sent() -> None:
    response, _ = read(b"HTTP/1.1 429 Too Many\r\nRetry-After:  7 \r\nX-Empty:\r\n\r\n")
    head = response.head
    assert head is not None
    assert (head.status, head.reason, head.http_version) == (
        429,
        b"Too Many",
        b"HTTP/1.1",
    )
    assert head.headers == [(b"Retry-After", b"7"), (b"X-Empty", b"")]


def test_response_to_head_has_no_body() -> None:
    response, _ = read(HEAD + b"Content-Length: 5\r\n\r\n", method="HEAD")
    assert response.complete


def test_body_without_a_length_ends_with_the_connection() -> None:
    response, body = read(HEAD + b"\r\nHel", b"lo")
    assert (body, response.complete) == (b"Hello", False)
    response.end()
    assert response.complete
    assert not response.keeps_connection


def test_bytes_after_the_response_end_the_connection() -> None:
    response, body = read(CHUNKED + BODY + b"\r\nHTTP/1.1 200 OK\r\n")
    assert (body, response.complete) == (b"Hello, world", True)
    assert not response.keeps_connection


@pytest.mark.parametrize("data", [CHUNKED + BODY, HEAD + b"Content-Length: 2\r\n\r\nx"])
def test_response_that_is_cut_is_an_error(data: bytes) -> None:
    for cut in range(len(data) + 1):
        response, _ = read(data[:cut])
        with pytest.raises(RemoteProtocolError, match="too early"):
            response.end()


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 0200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b" folded: line\r\n\r\n",
        HEAD + b"Bad\0Name: x\r\n\r\n",
        HEAD + b"Content-Length: +5\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        CHUNKED + b"0x5\r\nHello\r\n",
        CHUNKED + b"-5\r\nHello\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"5\r\nHello!\r\n",
        HEAD + b"X: " + b"x" * 65_536,
        CHUNKED + b"5;" + b"x" * 1_024,
        CHUNKED + b"0\r\n" + b"X: xxxxxxxxxxx\r\n" * 5_000,
        CHUNKED + b"0\r\nX: " + b"x" * 65_536,
    ],
)
def test_what_is_no_response_is_an_error(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read(data)
