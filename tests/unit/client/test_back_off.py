from __future__ import annotations

from streamchat_nb.client.back_off import pause_s


def test_pauses_grow_and_are_spread_over_the_whole_of_their_time() -> None:
    for attempt, most_s in [
        (0, 0.5),
        (1, 1.0),
        (3, 4.0),
        (9, 4.0),
        (10, 30.0),
        (1_000, 30.0),
    ]:
        pauses = [pause_s(attempt) for _ in range(2_000)]
        assert 0 <= min(pauses) < most_s * 0.1
        assert most_s * 0.9 < max(pauses) <= most_s


def test_server_is_given_the_time_it_asks_for_and_some_more() -> None:
    pauses = [pause_s(0, least_s=2.0) for _ in range(2_000)]
    assert 2.0 <= min(pauses) < 2.1
    assert 2.4 < max(pauses) <= 2.5
    assert pause_s(0, least_s=3_600.0) <= 30.5
