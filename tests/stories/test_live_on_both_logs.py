"""From a socket to predictions, in three processes: one story, told on either log."""

import json
import uuid
from contextlib import closing

import pytest

import feature_oracle
from barograph import codec
from barograph.cases.cold_start import COLD_START
from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, TICKS, ensure_topics
from barograph.pipeline.verify import verify
from barograph.pipeline.watch import PredictionWatch
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.types import APPENDED_TIME, Gap, Verdict
from barograph.venues.entries import Dialect
from fault_accounts import frames_account, nothing_invented, nothing_lost_by_ids
from log_contents import heard_again
from verb_processes import Life
from waiting import until

PRODUCTS = ("BTC-USD", "ETH-USD")
MARKET_S, SPEED = 900.0, 75.0
LIMIT_S = 240.0
FAULTS = [
    ScriptedFault(kind=FaultKind.REORDER, at_s=100.0, count=5),
    ScriptedFault(kind=FaultKind.DUPLICATE, at_s=200.0, count=3),
    ScriptedFault(kind=FaultKind.DROP, at_s=740.0, count=6),
    ScriptedFault(kind=FaultKind.GARBAGE, at_s=742.0, count=2),
    ScriptedFault(kind=FaultKind.DISCONNECT, at_s=800.0),
]
"""What leaves gaps comes late: the cold start speaks when it has seen twelve minutes without."""


@pytest.fixture(params=["sqlite", "kafka"])
def address(request, tmp_path):
    """A log with the market's topics."""
    if request.param == "sqlite":
        address = str(tmp_path)
    else:
        address = f"kafka://{request.getfixturevalue('kafka')}/test-{uuid.uuid4().hex}"
    with closing(open_log(address)) as log:
        ensure_topics(log)
    return address


@pytest.fixture
def exchange():
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 13, 1_750_000_000 * 10**9)
    terms = Terms(limit_s=MARKET_S, wait_for_reader=True, keep_frames=True)
    with running(Exchange(simulated(market), FAULTS, speed=SPEED, terms=terms)) as exchange:
        yield exchange


def working(address, home, *verbs):
    """A process for each verb."""
    places = ("--log", address, "--home", home, "--json")
    # The market's times are of another year.
    return [Life(*verb, *places, BAROGRAPH_CLOCK_LIMIT_S="1e12") for verb in verbs]


def end_when(condition, life):
    """Tell it to stop then; returns what it says it has done."""
    until(lambda: not life.is_alive() or condition(), LIMIT_S)
    life.terminate()
    code, out, err = life.end(LIMIT_S)
    assert (code, err) == (0, b"")
    return json.loads(out)


class Topics:
    """The records of a log by topic and product, in `of`, as far as somebody looked."""

    def __init__(self, log):
        self._log = log
        self._next = {
            (topic, extent.partition): extent.oldest
            for topic in (TICKS, FEATURES, PREDICTIONS)
            for extent in log.extents(topic)
        }
        self.of = {topic: {product: [] for product in PRODUCTS} for topic, _ in self._next}

    def look(self, topic):
        """Read on; returns how many there are."""
        for place in [place for place in self._next if place[0] == topic]:
            while page := self._log.read(*place, self._next[place], 10_000):
                for record in page:
                    self.of[topic][record.key].append(record)
                self._next[place] = page[-1].offset + 1
        return sum(map(len, self.of[topic].values()))

    def decoded(self, topic, decode):
        return {
            product: [decode(record.value) for record in records]
            for product, records in self.of[topic].items()
        }

    def have_the_last_of(self, exchange):
        self.look(TICKS)
        return all(
            any(b'"trade_id":%d,' % made[-1].trade_id in each.value for each in records[-50:])
            for made, records in zip(
                exchange.ledger.trades.values(), self.of[TICKS].values(), strict=True
            )
        )


def closed_seconds(topics):
    """{product: the seconds that its records close}, by the feature_oracle."""
    numbers = topics.decoded(TICKS, codec.decode_numbers)
    return {
        product: [bar["second"] for run in runs_of(of_product) for bar in run["bars"]]
        for product, of_product in numbers.items()
    }


def runs_of(numbers):
    runs, late = feature_oracle.bars(codec.event_array(numbers, lambda _product: 0))
    assert not late
    return runs


def test_from_a_socket_to_predictions(exchange, address, tmp_path):
    feeding = [
        "feed", "--venue", "simulated", "--url", f"ws://{exchange.address}",
        "--products", ",".join(PRODUCTS),
    ]  # fmt: skip
    following = [["featurize", "--follow"], ["score", "--follow"]]
    with closing(open_log(address)) as log:
        topics = Topics(log)
        feed, featurizer, scorer = working(address, tmp_path, feeding, *following)
        heard = end_when(lambda: exchange.ended and topics.have_the_last_of(exchange), feed)
        topics.look(TICKS)
        closed = closed_seconds(topics)
        rows = sum(map(len, closed.values()))
        featurized = end_when(lambda: topics.look(FEATURES) >= rows, featurizer)
        scored = end_when(lambda: topics.look(PREDICTIONS) >= rows, scorer)
        every_trade_is_accounted_for(topics, exchange.ledger, tmp_path / "archive")
        assert heard["connections"] >= 2
        assert heard["feed"]["filled"] > 0
        assert (featurized["values"], scored["values"]) == (rows, rows)
        each_closed_second_has_its_row_and_prediction(topics, closed)
        watch = PredictionWatch(log, from_oldest=True)
        watch.look()
        assert watch.latencies().count == rows
        for verified in (verify(log), verify(log, archive=tmp_path / "archive")):
            assert (verified.same, verified.rows) == (True, rows)


def every_trade_is_accounted_for(topics, ledger, archive):
    by_product = topics.decoded(TICKS, codec.decode_event)
    assert heard_again(archive) == by_product
    frames_account(ledger, archive)
    for product, events in by_product.items():
        nothing_invented(events, ledger.trades[product], Dialect.EXCHANGE)
        nothing_lost_by_ids(events, ledger.trades[product])
        assert any(type(event) is Gap for event in events), "it was cut off for a while"


def each_closed_second_has_its_row_and_prediction(topics, closed):
    rows = topics.decoded(FEATURES, codec.decode_row)
    predictions = topics.decoded(PREDICTIONS, codec.decode_prediction)
    for product, seconds in closed.items():
        assert [row.second for row in rows[product]] == seconds
        of_product = predictions[product]
        assert [each.second for each in of_product] == seconds
        assert {each.model for each in of_product} == {COLD_START}
        assert {each.verdict for each in of_product} >= {Verdict.PREDICTED, Verdict.GAP}
        for record in topics.of[PREDICTIONS][product]:
            assert record.headers.keys() == {APPENDED_TIME, "scored_time_ns"}
