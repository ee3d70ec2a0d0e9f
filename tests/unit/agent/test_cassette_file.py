from __future__ import annotations

import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.agent import cassette_file
from streamchat_nb.agent.cassette_exchange import Exchange
from streamchat_nb.agent.cassette_file import CassetteFile, path_below
from streamchat_nb.agent.cassette_request import Canon
from streamchat_nb.agent.cassette_secrets import Scrubber
from streamchat_nb.agent.model import ModelRequest
from streamchat_nb.errors import InvalidInput, ModelError
from streamchat_nb.testing.scripted_model import script

if TYPE_CHECKING:
    from pathlib import Path


def exchange_of(text: str) -> Exchange:
    request = ModelRequest(messages=[{"role": "user", "content": text}])
    events = tuple(script(text))
    return Exchange(
        request=Canon(Scrubber()).request(request),
        model="m",
        events=events,
        offsets_ms=(0,) * len(events),
    )


def texts(file: CassetteFile) -> list[str]:
    return [each.request.messages[0].value["content"] for each in file.exchanges()]


def test_file_that_is_not_there_or_empty_holds_nothing(tmp_path: Path) -> None:
    file = CassetteFile(tmp_path / "new" / "chat.jsonl")
    assert file.exchanges() == ()
    file.check_writable()
    file.path.write_text("\n", "utf-8")
    assert file.exchanges() == ()


def test_changes_are_seen_by_others_and_leave_nothing_else(tmp_path: Path) -> None:
    one, other = (CassetteFile(tmp_path / "chat.jsonl") for _ in range(2))
    one.change(lambda exchanges: exchanges.append(exchange_of("a")))
    assert texts(other) == ["a"]
    other.change(lambda exchanges: exchanges.append(exchange_of("b")))
    assert texts(one) == ["a", "b"]
    assert one.exchanges() is one.exchanges()
    one.path.unlink()
    assert texts(other) == []
    other.change(lambda exchanges: exchanges.append(exchange_of("c")))
    assert [path.name for path in tmp_path.iterdir()] == ["chat.jsonl"]


def put(exchange: Exchange, exchanges: list[Exchange]) -> None:
    exchanges.append(exchange)


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    def add(number: int) -> None:
        file = CassetteFile(tmp_path / "chat.jsonl")
        for part in range(10):
            exchange = exchange_of(f"{number}-{part}")
            file.change(partial(put, exchange))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found = texts(CassetteFile(tmp_path / "chat.jsonl"))
    assert sorted(found) == sorted(f"{n}-{p}" for n in range(6) for p in range(10))


def test_file_that_is_no_cassette_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"row": 1}\n', "utf-8")
    file = CassetteFile(path)
    with pytest.raises(ModelError, match="cannot be read") as caught:
        file.change(lambda exchanges: exchanges.append(exchange_of("a")))
    assert caught.value.code == "model_cassette_invalid"
    assert path.read_text("utf-8") == '{"row": 1}\n'


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = CassetteFile(tmp_path / "chat.jsonl")
    file.change(lambda exchanges: exchanges.append(exchange_of("a")))
    size = file.path.stat().st_size
    monkeypatch.setattr(cassette_file, "_MOST_BYTES", size)
    assert texts(CassetteFile(file.path)) == ["a"]
    with pytest.raises(ModelError, match="larger than") as caught:
        file.change(lambda exchanges: exchanges.append(exchange_of("b")))
    assert caught.value.code == "model_cassette_unwritable"
    assert file.path.stat().st_size == size
    monkeypatch.setattr(cassette_file, "_MOST_BYTES", size - 1)
    with pytest.raises(ModelError, match="larger than") as caught:
        CassetteFile(file.path).exchanges()
    assert caught.value.code == "model_cassette_invalid"


def test_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    file = CassetteFile(tmp_path / "file" / "chat.jsonl")
    with pytest.raises(ModelError) as caught:
        file.check_writable()
    assert caught.value.code == "model_cassette_unwritable"
    folder = CassetteFile(tmp_path)
    with pytest.raises(ModelError) as caught:
        folder.exchanges()
    assert caught.value.code == "model_cassette_invalid"


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are of other systems")
def test_mode_and_links_stay(tmp_path: Path) -> None:
    target = tmp_path / "target.jsonl"
    CassetteFile(target).change(lambda exchanges: exchanges.append(exchange_of("a")))
    target.chmod(0o640)
    link = tmp_path / "link.jsonl"
    link.symlink_to(target)
    CassetteFile(link).change(lambda exchanges: exchanges.append(exchange_of("b")))
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert texts(CassetteFile(target)) == ["a", "b"]


def test_path_of_a_client_stays_below_the_root(tmp_path: Path) -> None:
    assert path_below(tmp_path, "chat.jsonl") == tmp_path / "chat.jsonl"
    assert path_below(tmp_path, "a b/c.jsonl") == tmp_path / "a b" / "c.jsonl"
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "x.jsonl").symlink_to(outside / "x.jsonl")
    refused = [
        *("", ".jsonl", "chat.json", "chat.jsonl/", "../chat.jsonl", "a/../../c.jsonl"),
        *("/etc/chat.jsonl", "//host/c.jsonl", "C:/c.jsonl", "C:c.jsonl", "a\\c.jsonl"),
        *("~/c.jsonl/../../x.jsonl", ".git/c.jsonl", "a\0.jsonl", "a\n.jsonl"),
        *("link/c.jsonl", "x.jsonl", "a/" * 600 + "c.jsonl"),
    ]
    for given in refused:
        with pytest.raises(InvalidInput, match="relative to the server's folder"):
            path_below(root, given)


def test_equal_parts_are_held_once(tmp_path: Path) -> None:
    file = CassetteFile(tmp_path / "chat.jsonl")
    for _ in range(3):
        file.change(lambda exchanges: exchanges.append(exchange_of("a")))
    for exchanges in (file.exchanges(), CassetteFile(file.path).exchanges()):
        assert len({id(each.request.messages[0]) for each in exchanges}) == 1
