from __future__ import annotations

import ssl

import aiohttp
import httpx2
import pytest
from aiohttp.client_reqrep import ConnectionKey

from streamchat_nb.agent.aiohttp_transport import (
    AiohttpTransport,
    direct_transport,
    translated_errors,
)

PLACE = ConnectionKey("h", 1, False, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "translation"),
    [
        (aiohttp.ConnectionTimeoutError(), httpx2.ConnectTimeout),
        (aiohttp.SocketTimeoutError(), httpx2.ReadTimeout),
        (aiohttp.ClientConnectorError(PLACE, OSError(1, "x")), httpx2.ConnectError),
        (aiohttp.ClientConnectorDNSError(PLACE, OSError(1, "x")), httpx2.ConnectError),
        (
            aiohttp.ClientConnectorCertificateError(PLACE, ssl.CertificateError()),
            httpx2.ConnectError,
        ),
        (aiohttp.ServerFingerprintMismatch(b"", b"", "h", 1), httpx2.ConnectError),
        (aiohttp.InvalidURL("x"), httpx2.UnsupportedProtocol),
        (aiohttp.NonHttpUrlClientError("x"), httpx2.UnsupportedProtocol),
        (aiohttp.ClientPayloadError(), httpx2.RemoteProtocolError),
        (aiohttp.ServerDisconnectedError(), httpx2.RemoteProtocolError),
        (aiohttp.ClientOSError(), httpx2.ReadError),
        (aiohttp.ClientConnectionError(), httpx2.ReadError),
        (TimeoutError(), httpx2.ReadTimeout),
        (ConnectionResetError(), httpx2.ReadError),
    ],
)
def test_transport_errors_are_those_of_the_client_above(
    error: Exception, translation: type[Exception]
) -> None:
    with (
        pytest.raises(translation) as caught,
        translated_errors(),
    ):
        raise error
    assert type(caught.value) is translation
    assert caught.value.__cause__ is error


def test_transport_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), translated_errors():
        raise ZeroDivisionError


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_transport_is_left_to_the_sdk_where_a_proxy_is_set(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheme in ("http", "https", "all"):
        for variable in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            monkeypatch.delenv(variable, raising=False)
    assert isinstance(direct_transport(), AiohttpTransport)
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert direct_transport() is None
