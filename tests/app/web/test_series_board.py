"""The board of a series: records in, answers and events out, without I/O."""

import msgspec

from barograph import codec
from barograph.app.web.series_board import SeriesBoard
from barograph.cases.spikes import SPIKES
from barograph.log.topics import DEAD_LETTERS, PREDICTIONS, STATUS, TICKS
from barograph.types import APPENDED_TIME, FeedStatus, Gap, GapCause, Record
from level_hours import HOUR, HOURS, NEWEST, forecast, volatility
from queues import QUEUES
from web_site import NS, SECOND, predictions_of


def records_of(values, topic=PREDICTIONS, start=0, key="BTC-USD"):
    return [
        Record(topic, 0, start + n, key, value, {APPENDED_TIME: str((SECOND + n) * NS)})
        for n, value in enumerate(values)
    ]


def board_with(count=100):
    board = SeriesBoard(SPIKES)
    board.places.know(PREDICTIONS, [0])
    predictions = map(codec.encode, predictions_of(seconds=range(SECOND, SECOND + count)))
    return board, board.receive(records_of(list(predictions)))


def test_each_prediction_is_an_event_behind_whose_id_the_next_one_lies():
    board, events = board_with(3)
    assert [event.name for event in events] == ["prediction"] * 3
    assert [event.id for event in events] == ["1_-_-", "2_-_-", "3_-_-"]
    assert [event.key for event in events] == ["BTC-USD"] * 3
    assert board.keys() == ["BTC-USD"]


def test_quiet_records_are_kept_and_make_no_event():
    board = SeriesBoard(SPIKES)
    values = [codec.encode(each) for each in predictions_of(seconds=[SECOND])]
    assert board.receive(records_of(values), quiet=True) == []
    assert board.latest("BTC-USD").time_ns == (SECOND + 1) * NS


def test_what_became_of_a_prediction_comes_one_horizon_later():
    _, events = board_with(61)
    first, last = (msgspec.json.decode(events[n].data) for n in (0, 60))
    assert first["matured"] is None
    assert last["matured"] == {  # exact: as stored
        "time_ns": (SECOND + 1) * NS, "probability": 0.9, "alarm": True, "outcome": False,
        "inside": None,
    }  # fmt: skip


def test_an_older_prediction_does_not_become_the_newest():
    board, _ = board_with(10)
    old = [codec.encode(each) for each in predictions_of(seconds=[SECOND - 5])]
    board.receive(records_of(old, start=10))
    assert board.latest("BTC-USD").time_ns == (SECOND + 10) * NS


def test_a_recorded_gap_is_an_event_and_is_kept_with_its_place():
    board, _ = board_with(1)
    gap = Gap(product="BTC-USD", start_ns=5, end_ns=9, cause=GapCause.SILENCE)
    [event] = board.receive(records_of([codec.encode(gap)], TICKS, start=7))
    assert event.name == "gap"
    assert msgspec.json.decode(event.data)["cause"] == "silence"
    assert [(each.key, each.offset) for each in board.gaps] == [("BTC-USD", 7)]
    assert list(board.rows["BTC-USD"].gaps) == [board.gaps[0].span]


def test_what_comes_later_of_the_time_before_makes_the_same_board():
    """Another key whose last prediction is hours old, gaps that were taken, and dead letters."""
    old = predictions_of("ETH-USD", range(SECOND - 9_000, SECOND - 8_900))
    values = [*map(codec.encode, old), b"damaged", *map(codec.encode, predictions_of())]
    keys = ["ETH-USD"] * len(old) + ["BTC-USD"] * (len(values) - len(old))
    said = [
        Record(PREDICTIONS, 0, n, key, value, {APPENDED_TIME: str((SECOND + n) * NS)})
        for n, (key, value) in enumerate(zip(keys, values, strict=True))
    ]
    gaps = records_of(
        [
            codec.encode(Gap(product="BTC-USD", start_ns=n, end_ns=n + 1, cause=GapCause.SILENCE))
            for n in range(4)
        ],
        TICKS,
    )
    letters = records_of([b"damaged"] * 3, DEAD_LETTERS)
    whole, later = SeriesBoard(SPIKES), SeriesBoard(SPIKES)
    whole.receive([*gaps, *letters, *said], quiet=True)
    later.receive([*gaps[2:], *letters[2:], *said[250:]], quiet=True)
    for records in (gaps[1:3], said[100:250], letters[:2], said[50:100], gaps[:1], said[:50]):
        later.take_older(records)
    assert later.keys() == whole.keys() == ["BTC-USD", "ETH-USD"]
    assert later.status(0) == whole.status(0)
    assert list(later.gaps) == list(whole.gaps)
    for key in whole.rows:
        assert later.latest(key) == whole.latest(key)
        assert later.rows[key].seconds.tolist() == whole.rows[key].seconds.tolist()
        assert list(later.rows[key].gaps) == list(whole.rows[key].gaps)
    assert later.status(0).feed.dead_letters == {"unreadable": 3}


def test_what_cannot_be_read_changes_nothing():
    board, _ = board_with(5)
    before = board.latest("BTC-USD")
    for topic in (PREDICTIONS, TICKS, STATUS, DEAD_LETTERS, board.live.rows):
        broken = records_of([b"\xff", b"{}", b'{"type":"gap/1"'], topic, 5)
        assert board.receive(broken) == []
        if topic != DEAD_LETTERS:
            board.take_older(broken)
    assert board.latest("BTC-USD") == before
    assert board.status(0).feed.dead_letters == {"unreadable": 3}


def test_the_feed_is_what_the_last_status_says_while_that_is_new():
    board, _ = board_with(1)
    now_ns = SECOND * NS
    status = FeedStatus(
        venue="simulated", connection="c", dialect="exchange", products=("BTC-USD",),
        time_ns=now_ns, since_ns=now_ns - 600 * NS, frames=9, reconnects=2, queued=0,
        queue_full=0, open_holes=0, offset_median_ms=-1.5, passed=600,
    )  # fmt: skip
    board.receive(records_of([codec.encode(status)], STATUS, key="simulated"))
    feed = board.status(now_ns + NS).feed
    assert (feed.ticks_per_s, feed.clock_offset_ms, feed.reconnects) == (10.0, -1.5, 2)
    assert board.status(now_ns + 61 * NS).feed.ticks_per_s is None


def test_a_series_of_another_kind_has_a_board_too():
    board = SeriesBoard(QUEUES)
    assert board.name == QUEUES.name
    assert board.target == QUEUES.live.predictions
    assert board.status(0).now == {}


def test_whether_a_value_lay_within_its_interval_comes_one_horizon_later():
    board = SeriesBoard(HOURS)
    ends = [NEWEST + n * HOUR for n in range(12)]
    said = [forecast(HOURS, end) for end in ends]
    events = board.receive(
        records_of(list(map(codec.encode, said)), HOURS.live.predictions, key="BTC-USD")
    )
    answers = [msgspec.json.decode(event.data) for event in events]
    assert [each["low"] for each in answers] == [each.low for each in said]
    assert answers[0]["matured"] is None
    inside = [each["matured"]["inside"] for each in answers[1:]]
    came = [volatility(end // HOUR) for end in ends[1:]]
    assert inside == [one.low <= v <= one.high for one, v in zip(said, came, strict=False)]
    assert {True, False} == set(inside)


def test_hours_are_kept_longer_than_a_day():
    board = SeriesBoard(HOURS)
    said = [forecast(HOURS, NEWEST + n * HOUR) for n in range(1_500)]
    board.receive(records_of(list(map(codec.encode, said)), HOURS.live.predictions), quiet=True)
    assert len(board.rows["BTC-USD"]) == 1_440
