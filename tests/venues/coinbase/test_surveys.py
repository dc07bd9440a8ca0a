"""Whether a recording kept every frame that its numbers count, from its first frames."""

import pytest

from barograph.venues.coinbase.surveys import numbers_of
from coinbase_messages import beats, envelope, frame, ticker

EVERY_SECOND = [envelope(3 * n + k, seconds=n + k / 4) for n in range(8) for k in range(2)]
"""Two tickers a second; the heartbeat between was not written down."""


def survey(messages):
    return numbers_of(frame(message) for message in messages)


def test_numbers_without_the_heartbeats_between_are_some():
    assert survey(EVERY_SECOND) == "some"


def test_many_tickers_between_two_heartbeats_change_nothing():
    messages = [envelope(41 * n + k, seconds=n + k / 50) for n in range(8) for k in range(40)]
    assert survey(messages) == "some"


def test_numbers_of_a_recording_with_its_heartbeats_are_all_even_if_some_were_lost():
    messages = [beats(n, n // 5) if n % 5 == 0 else envelope(n) for n in range(100)]
    assert survey(messages) == "all"
    lost = [message for n, message in enumerate(messages) if n % 20 != 7]
    assert survey(lost) == "all"


def test_a_few_losses_in_many_minutes_are_losses():
    assert survey([envelope(n) for n in range(600) if n not in {50, 200, 201, 400}]) == "all"


def test_two_connections_in_one_file_are_not_taken_for_losses():
    two = [envelope(n + k, (name,)) for n in range(30) for k, name in enumerate(("A-B", "C-D"))]
    assert survey(two) == "all"


@pytest.mark.parametrize("messages", [[], [b"garbage"], [ticker(0)], [envelope(0, timestamp="x")]])
def test_what_has_no_numbers_proves_nothing_against_them(messages):
    assert survey(messages) == "all"
