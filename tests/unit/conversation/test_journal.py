from __future__ import annotations

import random
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.conversation import held_events, journal
from streamchat_nb.conversation.held_events import HeldEvents, Place
from streamchat_nb.conversation.journal import JOURNAL_SUFFIXES, Entry, Journal
from streamchat_nb.errors import StoreError
from streamchat_nb.testing.store_samples import append_of, events_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "chat.sqlite3"
PLACES = {"a": Place("L", 0)}


def entry_of(first: int, last: int) -> Entry:
    return Entry("a", 7, 2_000, 1, events_of(first, last))


class Folder:
    """The journals of one database, each as a process has it that is killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journals: list[Journal] = []
        self.files = [path / f"{NAME}{suffix}" for suffix in JOURNAL_SUFFIXES]

    def journal(self) -> Journal:
        self._journals.append(Journal(self._path / NAME))
        return self._journals[-1]

    def holding(self, places: dict[str, Place] = PLACES) -> HeldEvents:
        """Hold what there is, with the tables as ``places`` says."""
        left = self.journal()
        held = HeldEvents(left)
        held.restore(places, left.read())
        return held

    def first_seqs(self) -> list[int]:
        return [entry.events[0].seq for _, entry in self.journal().read()]

    def end(self) -> None:
        for each in self._journals:
            for file in each._files:
                file.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    folder.end()


def seqs(held: HeldEvents) -> list[int]:
    return [event.seq for each in held.of("a").values() for event in each.events]


def test_file_cut_anywhere_has_the_records_before_the_cut(folder: Folder) -> None:
    written = folder.journal()
    ends = [0]
    for seq in range(1, 9):
        assert written.write([entry_of(seq, seq)]) == 0
        ends.append(folder.files[0].stat().st_size)
    data = folder.files[0].read_bytes()
    for size in range(len(data) + 1):
        folder.files[0].write_bytes(data[:size])
        found = folder.first_seqs()
        whole = sum(end <= size for end in ends) - 1
        assert found == list(range(1, whole + 1))


def test_record_with_one_wrong_bit_ends_the_file(folder: Folder) -> None:
    written = folder.journal()
    for seq in (1, 2, 3):
        written.write([entry_of(seq, seq)])
    path = folder.files[0]
    data = path.read_bytes()
    length = len(data) // 3
    dice = random.Random(5)  # noqa: S311 - the same on each run
    for _ in range(200):
        bit = dice.randrange(length * 8, length * 16)
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        path.write_bytes(wrong)
        found = folder.first_seqs()
        assert found == [1]


def test_what_an_older_round_left_is_read_and_does_no_harm(folder: Folder) -> None:
    held = folder.holding()
    for seq in range(1, 6):
        assert held.take([append_of("a", seq, seq)])
    held.release(held.of("a"))  # the tables have them; the file begins anew
    assert held.take([append_of("a", 6, 6)])
    assert folder.first_seqs() == [6, 2, 3, 4, 5]
    assert seqs(folder.holding({"a": Place("L", 5)})) == [6]


def test_left_events_of_another_log_or_of_no_conversation_are_not_taken(
    folder: Folder,
) -> None:
    held = folder.holding()
    assert held.take([append_of("a", 1, 2)])
    for places in ({"a": Place("another", 0)}, {}, {"b": Place("L", 0)}):
        assert folder.holding(places).of() == {}


def test_left_events_with_a_gap_before_them_are_not_taken(folder: Folder) -> None:
    written = folder.journal()
    log = held_events._number_of("L")
    for first, last in ((1, 3), (2, 4), (6, 7)):
        written.write([Entry("a", log, 1, 0, events_of(first, last))])
    assert seqs(folder.holding()) == [1, 2, 3, 4]


def test_full_file_is_followed_by_the_other_and_emptied_first(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 300)
    held = folder.holding()
    seq = 0
    while held.take([append_of("a", seq + 1, seq + 1)]):
        seq += 1
    assert all(path.stat().st_size <= 300 for path in folder.files)
    assert seqs(held) == list(range(1, seq + 1))
    assert seqs(folder.holding()) == list(range(1, seq + 1))
    in_the_way = held.in_the_way()
    assert 1 <= in_the_way["a"].head < seq
    held.release(in_the_way)
    assert held.in_the_way() == {}
    assert held.take([append_of("a", seq + 1, seq + 1)])
    head = in_the_way["a"].head
    again = folder.holding({"a": Place("L", head)})
    assert seqs(again) == list(range(head + 1, seq + 2))


def test_only_plain_batches_of_known_conversations_are_taken(folder: Folder) -> None:
    held = folder.holding({})
    assert not held.take([])
    assert not held.take([append_of("a", 1, 1)])  # not known yet
    with held.changing("a") as places:
        places["a"] = Place("L", 3)
        assert not held.take([append_of("a", 4, 4)])
    assert held.take([append_of("a", 4, 5)])
    with pytest.raises(StoreError, match="Event 9 was offered where 6"):
        held.take([append_of("a", 9, 9)])
    assert not held.take([append_of("a", 6, 6), append_of("b", 1, 1)])
    assert seqs(held) == [4, 5]
    with pytest.raises(StoreError), held.changing("a"):
        raise StoreError("The disk is full.")
    assert held.take([append_of("a", 6, 6)])
    with pytest.raises(KeyboardInterrupt), held.changing("a"):
        raise KeyboardInterrupt
    assert not held.take([append_of("a", 7, 7)])  # nobody knows what became of it
    assert seqs(held) == [4, 5, 6]
    with held.changing("a"):
        pass  # it is gone
    assert held.of() == {}


def test_disk_that_is_slow_or_refuses_is_left_alone(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = folder.holding()
    folder.files[0].mkdir()
    assert not held.take([append_of("a", 1, 1)])
    folder.files[0].rmdir()
    assert held.take([append_of("a", 1, 1)])
    with monkeypatch.context() as slow:
        slow.setattr(held_events, "SLOW_S", -1.0)
        assert held.take([append_of("a", 2, 2)])
        assert held.take([append_of("a", 3, 3)])
        assert not held.take([append_of("a", 4, 4)])
        for seq in (4, 5):  # each time that it was left alone, one is tried
            slow.setattr(held, "_rests_until_s", 0.0)
            assert held.take([append_of("a", seq, seq)])
            assert not held.take([append_of("a", seq + 1, seq + 1)])
    monkeypatch.setattr(held, "_rests_until_s", 0.0)
    assert held.take([append_of("a", 6, 6)])
    assert held.take([append_of("a", 7, 7)])
    assert seqs(held) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such permissions")
def test_files_are_this_users_and_gone_when_nothing_is_held(folder: Folder) -> None:
    held = folder.holding()
    assert held.take([append_of("a", 1, 1)])
    assert stat.S_IMODE(folder.files[0].stat().st_mode) == 0o600
    held.close()
    assert folder.files[0].exists()
    assert not held.take([append_of("a", 2, 2)])
    again = folder.holding()
    again.release(again.of())
    again.close()
    assert not folder.files[0].exists()
    again.close()
