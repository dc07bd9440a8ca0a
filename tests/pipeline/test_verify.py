"""Verify finds nothing where live equals replay, and the first place where it does not."""

import math

import msgspec
import pytest

from barograph import codec
from barograph.errors import BadInputError, UnknownTopicError
from barograph.feature_set.featurizer import Featurizer
from barograph.feed.feed import Feed
from barograph.log import Topic, open_log
from barograph.log.sqlite import SqliteLog
from barograph.log.topics import DEAD_LETTERS, FEATURES, TICKS, ensure_topics
from barograph.pipeline.verify import verify
from barograph.pipeline.worker import Route, when_idle, work
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import FeatureRow, Message, Tick
from barograph.venues.entries import Closing, Dialect, Heard, Opening

NS = 10**9
ROUTE = Route(group="f", source=TICKS, target=FEATURES, dead_letters=DEAD_LETTERS, stamp="t")


def ticks(product, n):
    for second in range(n):
        price = f"{100 + second % 7}.5"
        time_ns = (1_700_000_000 + second) * NS
        tick = Tick(product=product, event_time_ns=time_ns, price=price, bid=price, ask=price)
        yield Message(TICKS, product, codec.encode(tick))


class Tampering(Featurizer):
    """A featurizer whose rows somebody changes on their way: the test's fault, as data."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def receive(self, records):
        outcome = super().receive(records)
        values = [
            (key, codec.encode(row))
            for key, value in outcome.values
            for row in self.change(codec.decode_row(value))
        ]
        return outcome._replace(values=values)


@pytest.fixture
def log(tmp_path):
    with_topics = open_log(tmp_path)
    ensure_topics(with_topics)
    with_topics.append([*ticks("BTC-USD", 500), *ticks("ETH-USD", 400)])
    yield with_topics
    with_topics.close()


def featurize(log, change=None):
    machine = Featurizer if change is None else lambda: Tampering(change)
    work(log, ROUTE, machine, clock_ns=lambda: 1, until=when_idle, timeout_s=0.0)


def at(row, second):
    return row.product == "BTC-USD" and row.second == 1_700_000_000 + second


def changed(row, **fields):
    known = {name: getattr(row, name) for name in FeatureRow.__struct_fields__}
    return FeatureRow(**{**known, **fields})


def test_untouched_rows_are_the_same(log):
    featurize(log)
    verified = verify(log)
    assert verified.same
    assert (verified.rows, verified.products) == (499 + 399, ["BTC-USD", "ETH-USD"])


def test_one_changed_bit_is_found_with_its_place_and_both_values(log):
    def change(row):
        if at(row, 200):
            values = list(row.values)
            values[0] = math.nextafter(values[0], math.inf)
            return [changed(row, values=values)]
        return [row]

    featurize(log, change)
    first = verify(log).difference
    assert (first.product, first.second, first.what) == (
        "BTC-USD", 1_700_000_200, "log_return_10s",
    )  # fmt: skip
    assert float(first.live) == math.nextafter(float(first.replayed), math.inf)


def test_a_changed_reason_is_found(log):
    featurize(log, lambda row: [changed(row, reasons="0" * len(row.reasons))])
    assert verify(log).difference.what == "reasons"


@pytest.mark.parametrize("second", [0, 250, 498])
def test_a_missing_row_is_found(log, second):
    featurize(log, lambda row: [] if at(row, second) else [row])
    assert not verify(log).same


def test_a_row_too_many_is_found(log):
    featurize(log, lambda row: [row, row] if at(row, 250) else [row])
    assert not verify(log).same


def test_a_featurizer_that_has_not_caught_up_is_distinguished(log):
    featurize(log)
    log.append(ticks("SOL-USD", 100))
    assert "caught up" in verify(log).difference.live


@pytest.mark.slow
def cut_log(folder, seconds):
    """A featurized log of so many seconds, of which retention has taken the first 1,000."""
    now_ns = [1_700_100_000 * NS]
    log = SqliteLog(folder / "log.sqlite", clock_ns=lambda: now_ns[0])
    for name in (TICKS, FEATURES):
        log.create(Topic(name=name, partitions=1, retention_s=100))
    log.create(Topic(name=DEAD_LETTERS))
    messages = list(ticks("BTC-USD", seconds))
    log.append(messages[:1000])
    featurize(log)
    now_ns[0] += 200 * NS
    log.append(messages[1000:])
    featurize(log)
    assert log.retain() > 0
    return log


def test_rows_near_the_cut_of_retention_are_left_out_and_the_rest_is_compared(tmp_path):
    log = cut_log(tmp_path, 8000)
    verified = verify(log)
    assert verified.same
    assert verified.unsettled > 0
    assert verified.rows > 2000
    log.close()


def test_where_all_that_is_left_is_near_the_cut_nothing_differs(tmp_path):
    log = cut_log(tmp_path, 1500)
    verified = verify(log)
    assert verified.same
    assert (verified.rows, verified.unsettled > 0) == (0, True)
    log.close()


def test_nothing_is_not_the_same_as_nothing(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log)
    with pytest.raises(BadInputError, match="no feature rows"):
        verify(log)
    log.close()


def test_topics_that_are_not_there_or_not_alike_are_refused(tmp_path):
    log = open_log(tmp_path)
    with pytest.raises(UnknownTopicError):
        verify(log)
    log.create(Topic(name=TICKS, partitions=1))
    log.create(Topic(name=FEATURES, partitions=2))
    with pytest.raises(BadInputError, match="1 and 2 partitions"):
        verify(log)
    log.close()


# Against the frames in the archive.


@pytest.fixture
def home(tmp_path):
    """A home into which two connections were fed, one after the other, and featurized."""
    log = open_log(tmp_path)
    feed = Feed(log, tmp_path / "archive")
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 3, 1_750_000_000 * NS)
    for connection in ("a", "b"):
        feed.take(Opening(connection=connection, dialect=Dialect.EXCHANGE))
        for frame in market.advance(400):
            named = msgspec.structs.replace(frame, connection=connection)
            feed.take(Heard(named, Dialect.EXCHANGE))
        feed.take(Closing(connection))
        feed.commit()
    feed.close()
    yield tmp_path, log
    log.close()


@pytest.mark.slow
def test_features_are_those_of_the_archives_frames(home):
    path, log = home
    featurize(log)
    verified = verify(log, archive=path / "archive")
    assert verified.same
    assert verified.rows > 600
    assert verified.products == ["BTC-USD", "ETH-USD"]


@pytest.mark.slow
def test_a_tick_that_no_frame_tells_is_found(home):
    """The log agrees with itself then, and the archive does not."""
    path, log = home
    later = 1_750_000_000 + 790
    invented = [
        Tick(product="BTC-USD", event_time_ns=(later + n) * NS, price="9", bid="9", ask="9")
        for n in (20, 40)
    ]
    log.append([Message(TICKS, "BTC-USD", codec.encode(tick)) for tick in invented])
    featurize(log)
    assert verify(log).same
    assert not verify(log, archive=path / "archive").same


def test_an_archive_without_its_beginning_proves_nothing(home):
    path, log = home
    featurize(log)
    with pytest.raises(BadInputError, match="there is no archive"):
        verify(log, archive=path / "nowhere")
    (path / "archive" / "000001.ndjson.gz").unlink()
    with pytest.raises(BadInputError, match="not all of its files"):
        verify(log, archive=path / "archive")
