"""A harness that cannot fail proves nothing: it has to find bugs in a real server."""

from __future__ import annotations

import pytest

from tests.soak import cancel_races, cuts, duplicate_sends


@pytest.mark.parametrize(
    ("bug", "invariant"),
    [
        ("begin_each_replay_one_event_late", "I1"),
        # The others are looked for by `make soak`.
        *(
            pytest.param(*pair, marks=pytest.mark.slow)
            for pair in (
                ("forget_to_adapt_prev", "I1"),
                ("lose_the_end_of_a_turn_in_replays", "I1"),
                ("lose_a_letter_where_deltas_are_joined", "I3"),
                ("show_the_state_of_another_moment", "I4"),
            )
        ),
    ],
)
def test_bug_in_the_server_is_found_by_cutting_connections(
    bug: str, invariant: str
) -> None:
    try:
        outcome = cuts.run(600, 1, bug=bug)
    except ExceptionGroup as stuck:
        # Found, too: a seat that was cut at the end never got to the log's head.
        if stuck.subgroup(AssertionError) is None:
            raise
        return

    assert any(words.startswith(invariant) for words in outcome.violations), outcome


def test_bug_in_the_server_is_found_by_sending_again() -> None:
    outcome = duplicate_sends.run(100, 1, bug="forget_what_was_sent")

    assert any(words.startswith("I2") for words in outcome.violations), outcome


def test_bug_in_the_server_is_found_by_cancelling() -> None:
    bug = "forget_what_was_written_before_a_cancel"

    outcome = cancel_races.run(40, 1, bug=bug)

    assert any("does not keep" in words for words in outcome.violations), outcome
