"""Whose numbers a recorded frame counts, told by the numbers alone."""

from barograph.types import GapCause
from barograph.venues.regimes import MAX_FRAMES, MAX_REGIMES, Loss, Regimes

S = 1_000_000_000


def losses(regimes, *frames):
    """What each frame (its number and its products) tells was lost, a second apart."""
    return [
        list(regimes.judge(number, n * S, products).losses)
        for n, (number, *products) in enumerate(frames)
    ]


def test_numbers_of_one_connection_are_one_regime_and_a_jump_is_a_loss_of_all_its_products():
    regimes = Regimes()
    assert losses(regimes, (7, "A"), (8, "B"), (9,), (12, "A")) == [
        [], [], [], [Loss(("A", "B"), GapCause.SEQUENCE, 2)]
    ]  # fmt: skip
    assert [regime.number for regime in regimes.known] == [12]


def test_two_connections_with_the_same_numbers_are_two_regimes():
    regimes = Regimes()
    frames = [(n + k, name) for n in range(5) for k, name in enumerate("AB")]
    assert losses(regimes, *frames) == [[]] * 10
    assert sorted(regimes.at_home_in(regime) for regime in regimes.known) == [["A"], ["B"]]


def test_a_number_that_was_passed_begins_a_regime_behind_a_gap():
    regimes = Regimes()
    assert losses(regimes, (5, "A"), (6, "A"), (0, "A"), (1, "A")) == [
        [], [], [Loss(("A",), GapCause.DISCONNECT)], []
    ]  # fmt: skip


def test_a_leap_further_than_numbers_can_come_begins_one_too():
    (_, told) = losses(Regimes(), (5, "A"), (10**15, "A"))
    assert told == [Loss(("A",), GapCause.DISCONNECT)]


def test_where_frames_were_not_recorded_only_a_number_that_was_passed_tells_something():
    regimes = Regimes(kept=False)
    assert losses(regimes, (5, "A"), (9, "A"), (6, "B"), (20, "B"), (9, "A")) == [
        [], [], [], [], [Loss(("A",), GapCause.DISCONNECT)]
    ]  # fmt: skip


def test_the_same_bytes_are_a_repeat_among_the_last_frames_only():
    regimes = Regimes()
    assert not regimes.is_repeat(b"first")
    assert regimes.is_repeat(b"first")
    for n in range(MAX_FRAMES):
        assert not regimes.is_repeat(b"%d" % n)
    assert not regimes.is_repeat(b"first")
    assert len(regimes.hashes) == MAX_FRAMES


def test_so_many_regimes_are_followed_and_the_oldest_makes_room():
    regimes = Regimes()
    for n in range(3 * MAX_REGIMES):
        regimes.judge(1000 * n, 0, [f"P{n}"])
    assert len(regimes.known) == MAX_REGIMES
    assert "P47" in regimes.known[-1].products


def test_a_heartbeat_belongs_where_its_count_goes_on():
    regimes = Regimes()
    for number, name, count in ((0, "A", 100), (0, "B", 500)):
        regimes.judge(number, 0, [name])
        regimes.judge(number + 1, 0, [], count)
    assert regimes.at_home_in(regimes.judge(2, S, [], 101).regime) == ["A"]
    assert regimes.at_home_in(regimes.judge(2, S, [], 501).regime) == ["B"]


def test_a_frame_that_cannot_be_read_is_counted():
    regimes = Regimes()
    losses(regimes, (5, "A"))
    regimes.pass_over(6)
    regimes.pass_over(99)
    assert losses(regimes, (7, "A")) == [[]]


def test_a_later_file_goes_on_with_the_next_number_and_with_no_other():
    first = Regimes()
    losses(first, (5, "A"), (6, "B"))
    ended = first.end()
    assert Regimes(known=ended[:]).judge(9, 9 * S, ["A"]).closed == ()
    assert Regimes(known=ended[:]).judge(7, 9 * S, ["A"]).closed == ("A", "B")


def test_numbers_of_a_file_that_is_older_go_on_with_nothing():
    first = Regimes()
    first.judge(5, 100 * S, ["A"])
    assert Regimes(known=first.end()).judge(6, 9 * S, ["A"]).closed == ()
