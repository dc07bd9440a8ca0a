import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import codec
from barograph.errors import UnknownTopicError
from barograph.log import Topic, open_log
from barograph.log.topics import DEAD_LETTERS, FEATURES, STATUS, TICKS, ensure_topics
from barograph.pipeline.check import UNREADABLE, check
from barograph.types import (
    DeadLetter,
    Fault,
    FeedStatus,
    Gap,
    GapCause,
    Heartbeat,
    Message,
    Side,
    Tick,
    Trade,
)

NS = 10**9
NOW_NS = 1_000 * NS


def tick(product, second, price="1.50", received=None):
    return Tick(
        product=product,
        event_time_ns=second * NS,
        price=price,
        bid=price,
        ask=price,
        receive_time_ns=None if received is None else round(received * NS),
    )


def gap(product, seconds, cause=GapCause.TRADE_ID, missing=None, filled=0):
    return Gap(
        product=product,
        start_ns=0,
        end_ns=round(seconds * NS),
        cause=cause,
        missing=missing,
        filled=filled,
    )


def trade(product, second, *, filled):
    return Trade(
        product=product,
        event_time_ns=second * NS,
        price="1",
        size="1",
        side=Side.BUY,
        trade_id=second,
        filled=filled,
    )


@pytest.fixture
def log(tmp_path):
    opened = open_log(tmp_path)
    ensure_topics(opened)
    yield opened
    opened.close()


def append(log, *events, topic=TICKS):
    log.append([Message(topic, each.product, codec.encode(each)) for each in events])


def look(log, topic=TICKS, wanted=1, **how):
    return check(log, topic, wanted=wanted, clock_ns=lambda: NOW_NS, **how)


def test_every_product_is_reported_with_its_last_price_age_and_gaps(log):
    append(
        log,
        tick("BTC-USD", 10, "1.0", received=11),
        tick("BTC-USD", 20, "2.50", received=990),
        tick("ETH-USD", 900, "7"),
        Heartbeat(product="ETH-USD", event_time_ns=901 * NS, receive_time_ns=995 * NS),
        trade("BTC-USD", 12, filled=True),
        trade("BTC-USD", 13, filled=False),
        gap("BTC-USD", 2.5, missing=3, filled=1),
        gap("BTC-USD", 1.5, missing=4),
        gap("BTC-USD", 7, GapCause.DISCONNECT),
    )
    report = look(log, wanted=3)
    assert (report.ok, report.counted, report.records) == (True, 3, 9)
    assert report.kinds == {"tick": 3, "gap": 3, "trade": 2, "heartbeat": 1}
    btc, eth = report.products["BTC-USD"], report.products["ETH-USD"]
    assert (btc.ticks, btc.trades, btc.filled, btc.last_price) == (2, 2, 1, "2.50")
    assert (btc.age_s, eth.age_s) == (10.0, 100.0)
    assert btc.last_event_time_ns == 20 * NS
    ids = btc.gaps["trade_id"]
    assert (ids.count, ids.seconds, ids.missing, ids.filled) == (2, 4.0, 7, 1)
    assert (btc.gaps["disconnect"].count, btc.gaps["disconnect"].seconds) == (1, 7.0)
    assert (report.first_event_time_ns, report.last_event_time_ns) == (10 * NS, 901 * NS)
    assert (report.first_receive_time_ns, report.last_receive_time_ns) == (11 * NS, 995 * NS)
    assert report.per_s == round(9 / 984, 3)
    assert '"topic":"ticks.raw"' in report.sample


def test_one_tick_too_few_is_short(log):
    append(log, *(tick("BTC-USD", n) for n in range(99)))
    assert not look(log, wanted=100).ok
    append(log, tick("BTC-USD", 99))
    assert look(log, wanted=100).ok


def test_an_empty_topic_is_short_and_no_error(log):
    report = look(log)
    assert (report.ok, report.counted, report.sample, report.per_s) == (False, 0, None, None)
    assert look(log, wanted=0).ok


def test_a_topic_that_is_not_there_is_an_error(log):
    with pytest.raises(UnknownTopicError):
        look(log, "no.such")


@pytest.mark.slow
@given(
    events=st.lists(st.tuples(st.sampled_from(["A", "B", "C"]), st.integers(0, 500), st.booleans()))
)
@settings(max_examples=20)
def test_counts_are_those_of_the_records_whatever_their_order(tmp_path_factory, events):
    log = open_log(tmp_path_factory.mktemp("home"))
    ensure_topics(log)
    append(
        log,
        *(
            tick(product, second) if is_tick else gap(product, second)
            for product, second, is_tick in events
        ),
    )
    report = look(log)
    log.close()
    assert report.counted == sum(is_tick for *_, is_tick in events)
    for name in {product for product, *_ in events}:
        product = report.products[name]
        of = [(second, is_tick) for each, second, is_tick in events if each == name]
        assert product.ticks == sum(is_tick for _, is_tick in of)
        seconds = [second for second, is_tick in of if not is_tick]
        total = sum(each.seconds for each in product.gaps.values())
        assert total == sum(seconds)


def test_records_of_any_topic_are_counted_by_kind(log):
    log.create(Topic(name="things", partitions=2))
    values = [b'{"type":"thing/2","receive_time_ns":5}', b"\xff", b"[]", b"{}", b'{"type":7}']
    log.append([Message("things", str(n), value) for n, value in enumerate(values)])
    report = look(log, "things", wanted=5)
    assert (report.ok, report.counted) == (True, 5)
    assert report.kinds == {UNREADABLE: 4, "thing": 1}
    assert (report.products, report.dead_letters, report.lag) == ({}, {}, {})


def test_dead_letters_are_counted_by_fault(log):
    letters = [
        DeadLetter(fault=fault, detail="", source="c", position="1", key="", original=b"")
        for fault in (Fault.LATE, Fault.NOT_JSON, Fault.LATE)
    ]
    values = [*map(codec.encode, letters), b"nonsense"]
    log.append([Message(DEAD_LETTERS, "", value) for value in values])
    assert look(log).dead_letters == {"late": 2, "not_json": 1, UNREADABLE: 1}


def test_the_lag_of_each_group_is_what_it_has_not_committed(log):
    append(log, *(tick("BTC-USD", n) for n in range(10)))
    assert look(log).lag == {}
    member = log.join("featurizer", [TICKS])
    polled = 0
    for _ in range(100):
        polled += len(member.poll(4 - polled, 0.05).records) if polled < 4 else 0
    member.commit()
    member.leave()
    assert look(log).lag == {"featurizer": 6}
    append(log, tick("BTC-USD", 11), topic=FEATURES)
    assert look(log, FEATURES).lag == {"featurizer": 6}


def status(connection, frames):
    return FeedStatus(
        venue="coinbase",
        connection=connection,
        dialect="exchange",
        products=("BTC-USD",),
        time_ns=1,
        since_ns=0,
        frames=frames,
        reconnects=0,
        queued=0,
        queue_full=0,
        open_holes=0,
    )


def test_the_last_word_of_each_connection_stands_there(log):
    statuses = [status("c/1", 5), status("c/2", 1), status("c/1", 9)]
    log.append([Message(STATUS, each.venue, codec.encode(each)) for each in statuses])
    assert [(each.connection, each.frames) for each in look(log).status] == [("c/1", 9), ("c/2", 1)]


def test_a_watch_counts_what_arrives_and_nothing_that_was_there(log):
    """The test is the clock: each wait lets one more tick be written."""
    append(log, tick("BTC-USD", 1), tick("ETH-USD", 1))
    now = [0.0]

    def wait(seconds):
        now[0] += seconds
        waits.append(seconds)
        append(log, tick("BTC-USD", 10), tick("ETH-USD", 10))

    waits = []
    report = look(log, wanted=20, seconds=2.0, timer=lambda: now[0], wait=wait)
    assert (report.watched_s, report.counted, report.ok) == (2.0, 2 * len(waits), True)
    assert sum(waits) == pytest.approx(2.0)
    assert len(waits) >= 10


@pytest.mark.slow
def test_a_watch_ends_on_a_real_clock_while_another_thread_writes(log, tmp_path):
    done = threading.Event()

    def write():
        other = open_log(tmp_path)
        while not done.is_set():
            append(other, tick("BTC-USD", 1))
        other.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        report = look(log, seconds=0.5)
    finally:
        done.set()
        writer.join()
    assert report.counted > 0


def test_the_first_refusal_is_that_of_the_watch_where_it_watched(log):
    def refuse(fault, detail):
        letter = DeadLetter(
            fault=fault, detail=detail, source="c", position="1", key="", original=b""
        )
        log.append([Message(DEAD_LETTERS, "", codec.encode(letter))])

    assert look(log).first_refusal == ""
    refuse(Fault.NOT_JSON, "long ago")
    refuse(Fault.FUTURE, "61.200 s ahead of its receipt")
    assert look(log).first_refusal == "not_json: long ago"
    times = iter(range(100))
    watched = look(
        log,
        seconds=2,
        timer=lambda: next(times),
        wait=lambda _s: refuse(Fault.BAD_TIME, "soon"),
    )
    assert (watched.ok, watched.first_refusal) == (False, "bad_time: soon")
