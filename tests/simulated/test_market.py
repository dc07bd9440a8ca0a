"""The simulated feed: its form, its determinism, and the statistics of what it tells."""

import gzip
import os
import re
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from barograph import codec
from barograph.errors import BadInputError
from barograph.simulated.law import PRESETS, spike_probability
from barograph.simulated.market import SimulatedMarket
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Dialect, Heard, Opening
from whole_rows import whole

START_NS = 1_750_000_000 * 10**9
ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / os.environ.get("BAROGRAPH_DATA", "../shared/data") / "recordings"


class Line(msgspec.Struct):
    """Both kinds of frame, as much as the statistics need."""

    type: str
    sequence: int
    product_id: str
    time: str
    trade_id: int = 0
    last_trade_id: int = 0
    price: str = ""
    best_bid: str = ""
    best_ask: str = ""
    volume_24h: str = ""
    last_size: str = ""
    side: str = ""


def lines(frames):
    decode = msgspec.json.Decoder(Line).decode
    return [decode(frame.data) for frame in frames]


def market(products=("BTC-USD", "ETH-USD"), *, seed=7, preset="market"):
    return SimulatedMarket(PRESETS[preset], products, seed, START_NS)


def test_an_array_has_the_numbers_of_the_frames():
    """What the featurizer makes of both is the same to the bit."""
    named, arrays = Coinbase(), market().array(400)
    letters = []
    frames = [Heard(frame, Dialect.EXCHANGE) for frame in market().advance(400)]
    opening = Opening(connection="simulated", dialect=Dialect.EXCHANGE)
    numbers = codec.numbers_of(named.hear([opening, *frames], letters.append), letters.append)
    events = codec.event_array(numbers, ["BTC-USD", "ETH-USD"].index)
    assert letters == []
    ours, theirs = (rows_of(each) for each in (arrays, events))
    assert len(ours) > 700
    for name in ("product", "second", "log_mid_e9", "return_e9", "values", "reasons"):
        assert ours[name].tobytes() == theirs[name].tobytes()  # exact: the same decimals


def rows_of(events):
    rows, late = whole(events, products=2)
    assert len(late) == 0
    return rows[np.lexsort((rows["second"], rows["product"]))]


def seconds_of(run):
    """One-second mid returns and trades of each second."""
    trades = [line for line in run if line.type == "ticker"]
    times = np.array([line.time[:-1] for line in trades], "M8[us]").astype(np.int64)
    second = times // 10**6 - START_NS // 10**9
    mids = np.array([float(line.best_bid) + float(line.best_ask) for line in trades]) / 2
    counts = np.bincount(second)
    last = np.cumsum(counts) - 1
    seen = np.flatnonzero(last >= 0)[0]
    closes = np.full(len(counts), np.nan)
    closes[seen:] = np.log(mids)[last[seen:]]
    return np.diff(closes, prepend=np.nan), counts


def realized_vol(returns, window_s=60):
    """Root mean square of `window_s` returns from each second on that has as many."""
    squares = np.nancumsum(returns**2)
    return np.sqrt((squares[window_s:] - squares[:-window_s]) / window_s)


@pytest.fixture(scope="module")
def day():
    """Eight hours of one product in each preset: (frames' lines, the market)."""
    runs = {}
    for preset in PRESETS:
        simulated = market(["BTC-USD"], preset=preset)
        parts = [lines(simulated.advance(3600)) for _ in range(8)]
        runs[preset] = ([line for part in parts for line in part], simulated)
    return runs


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 90), max_size=5), seed=st.integers(0, 2**64))
def test_the_frames_do_not_depend_on_where_they_were_cut(cuts, seed):
    whole = market(seed=seed).advance(90)
    cut = market(seed=seed)
    parts = [cut.advance(stop - start) for start, stop in pairwise([0, *sorted(cuts), 90])]
    assert [frame for part in parts for frame in part] == whole


def test_another_seed_is_another_market():
    assert market(seed=1).advance(5) != market(seed=2).advance(5)


def test_a_product_says_the_same_alone_and_in_company():
    alone = [frame.data for frame in market(["ETH-USD"]).advance(60)]
    company = [frame.data for frame in market(["SOL-USD", "ETH-USD", "BTC-USD"]).advance(60)]
    assert [data for data in company if b'"ETH-USD"' in data] == alone


def test_a_ticker_is_written_as_coinbase_writes_it():
    form = re.compile(
        rb'\{"type":"ticker","sequence":\d+,"product_id":"BTC-USD","price":"\d+(\.\d?[1-9])?",'
        rb'"open_24h":"100000","volume_24h":"\d+\.\d{8}","low_24h":"\d+(\.\d?[1-9])?",'
        rb'"high_24h":"\d+(\.\d?[1-9])?","volume_30d":"\d+\.\d{8}","best_bid":"\d+\.\d\d",'
        rb'"best_bid_size":"\d+\.\d{8}","best_ask":"\d+\.\d\d","best_ask_size":"\d+\.\d{8}",'
        rb'"side":"(buy|sell)","time":"2025-06-15T15:\d\d:\d\d\.\d{6}Z","trade_id":\d+,'
        rb'"last_size":"\d+(\.\d{0,7}[1-9])?"\}'
    )
    tickers = [f.data for f in market(["BTC-USD"]).advance(600) if b'"ticker"' in f.data]
    assert len(tickers) > 300
    assert all(form.fullmatch(data) for data in tickers)


def test_a_ticker_has_the_fields_of_a_recorded_one_in_their_order():
    path = RECORDINGS / "as_recorded" / "exchange_feed_in_ts_pair_raw.ndjson.gz"
    if not path.exists():
        pytest.skip("BAROGRAPH_DATA does not lead to the recordings")
    with gzip.open(path, "rt") as recording:
        raws = (msgspec.json.decode(line)["raw"] for line in recording)
        recorded = next(raw for raw in raws if '"type":"ticker"' in raw)
    ours = next(f.data for f in market(["BTC-USD"]).advance(10) if b'"ticker"' in f.data)
    ours, recorded = msgspec.json.decode(ours), msgspec.json.decode(recorded)
    assert list(ours) == list(recorded)
    assert [type(value) for value in ours.values()] == [type(v) for v in recorded.values()]


def test_each_product_beats_once_a_second_with_its_last_trade():
    last, beats = {}, []
    for line in lines(market().advance(30)):
        if line.type == "ticker":
            last[line.product_id] = line.trade_id
        else:
            assert last.get(line.product_id, line.last_trade_id) == line.last_trade_id
            beats.append((line.product_id, line.time[:19]))
    assert len(beats) == len(set(beats)) == 60


@pytest.mark.slow
def test_trade_ids_are_consecutive_and_sequences_rise_with_holes(day):
    run, _ = day["market"]
    ids = np.array([line.trade_id for line in run if line.type == "ticker"])
    assert np.all(np.diff(ids) == 1)
    steps = np.diff([line.sequence for line in run])
    assert steps.min() >= 1
    assert steps.max() > 1


@pytest.mark.slow
def test_a_trade_prints_at_its_aggressors_side_of_an_uncrossed_quote(day):
    for line in day["market"][0]:
        if line.type == "ticker":
            assert Decimal(line.best_bid) < Decimal(line.best_ask)
            touched = line.best_ask if line.side == "buy" else line.best_bid
            assert Decimal(line.price) == Decimal(touched)
            assert Decimal(line.last_size) > 0


@pytest.mark.slow
def test_trades_of_one_order_share_its_time_and_side(day):
    run = [line for line in day["market"][0] if line.type == "ticker"]
    same = [(a, b) for a, b in pairwise(run) if a.time == b.time]
    assert len(same) == pytest.approx(0.15 * len(run), rel=0.1)
    assert all(a.side == b.side for a, b in same)


def test_frames_come_in_event_order_and_are_received_later_in_that_order():
    simulated = market()
    frames = [frame for _ in range(120) for frame in simulated.advance(1)]
    times = np.array([line.time[:-1] for line in lines(frames)], "M8[ns]").astype(np.int64)
    received = np.array([frame.receive_time_ns for frame in frames])
    assert np.all(np.diff(times) >= 0)
    assert np.all(np.diff(received) >= 0)
    assert np.all(received - times >= 4_000_000)
    assert np.median(received - times) < 20_000_000
    assert times[0] >= START_NS


def test_frames_carry_the_callers_connection_and_the_clock_goes_on():
    simulated = market()
    assert {frame.connection for frame in simulated.advance(3, "line 1")} == {"line 1"}
    assert simulated.now_ns == START_NS + 3 * 10**9


@pytest.mark.slow
def test_the_rolling_volume_may_fall_and_stays_near_its_level(day):
    volumes = np.array([float(line.volume_24h) for line in day["market"][0] if line.volume_24h])
    falls = np.mean(np.diff(volumes) < 0)
    assert 0.2 < falls < 0.95
    assert 0.5 < volumes[-1] / volumes[0] < 2


@pytest.mark.slow
def test_trades_come_at_the_stationary_rate(day):
    for preset, (run, _) in day.items():
        _, counts = seconds_of(run)
        blocks = counts[: len(counts) // 600 * 600].reshape(-1, 600).mean(axis=1)
        error = blocks.std() / np.sqrt(len(blocks))
        assert abs(counts.mean() - PRESETS[preset].trades_per_s()) < 4 * error


@pytest.mark.slow
def test_arrivals_excite_themselves_in_market_and_not_in_constant(day):
    def dispersion(preset):
        counts = seconds_of(day[preset][0])[1]
        return counts.var() / counts.mean()

    # For Poisson counts the statistic has mean 1 and deviation √(2/n) = 0.008.
    assert dispersion("constant") == pytest.approx(1.0, abs=0.035)
    assert dispersion("market") > 1.5


@pytest.mark.slow
def test_volatility_lasts_in_market_and_not_in_constant(day):
    def memory(preset):
        volatility = realized_vol(seconds_of(day[preset][0])[0])[61::60]
        return np.corrcoef(np.log(volatility[1:]), np.log(volatility[:-1]))[0, 1]

    # 479 minutes: the deviation of a correlation of zero is 0.046.
    assert abs(memory("constant")) < 0.16
    assert memory("market") > 0.35


@pytest.mark.slow
def test_realized_volatility_follows_the_latent_one(day):
    run, simulated = day["market"]
    truth = simulated.truth()["BTC-USD"]
    realized = realized_vol(seconds_of(run)[0])[60:]
    latent = realized_vol(np.sqrt(truth.variance))[60:]
    assert np.corrcoef(np.log(realized), np.log(latent))[0, 1] > 0.85
    # The mean square has a heavy tail; the median ratio has not.
    assert np.median(realized / latent) == pytest.approx(1.0, abs=0.03)


@pytest.mark.slow
def test_a_constant_market_has_the_volatility_of_its_model(day):
    returns = seconds_of(day["constant"][0])[0]
    # A relative error of 1/√(2n) = 0.004, and unequal spans between quotes make it wider.
    assert np.sqrt(np.nanmean(returns**2)) == pytest.approx(4e-5, rel=0.03)


@pytest.fixture(scope="module")
def outcomes(day):
    """Of each preset what `outcomes_of` says."""
    return {preset: outcomes_of(*run) for preset, run in day.items()}


def outcomes_of(run, simulated):
    """Spikes of the minute after each second, their true probability, and volatility known then."""
    volatility = realized_vol(seconds_of(run)[0][1:])
    # Entry i spans returns i+1 … i+60: it is known at second i + 60 and comes after second i.
    known, coming = volatility[:-60], volatility[60:]
    tau = np.quantile(coming, 0.9)
    latent = simulated.truth()["BTC-USD"].latent[60 : 60 + len(coming)]
    return coming >= tau, spike_probability(simulated.model, latent, tau), known


def log_loss(spike, probability):
    return -np.mean(np.log(np.clip(np.where(spike, probability, 1 - probability), 1e-5, 1)))


@pytest.mark.slow
@pytest.mark.slow
def test_the_true_probability_is_calibrated(outcomes):
    spike, truth, _ = outcomes["market"]
    for low, high in [(0.0, 1.0), (0.0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.0)]:
        chosen = (truth >= low) & (truth <= high)
        excess = np.where(chosen, spike - truth, 0.0)
        blocks = np.add.reduceat(excess, np.arange(0, len(excess), 300))
        error = np.sqrt(np.sum(blocks**2)) / chosen.sum()
        assert abs(excess.sum() / chosen.sum()) < 3 * error + 0.005


@pytest.mark.slow
def test_the_truth_beats_persistence_and_that_beats_the_base_rate(outcomes):
    spike, truth, known = outcomes["market"]
    ceiling, persistence = (average_precision_score(spike, s) for s in (truth, known))
    assert 0.3 < persistence < 0.6
    assert ceiling > persistence + 0.08
    assert log_loss(spike, truth) < 0.8 * log_loss(spike, spike.mean())


@pytest.mark.slow
def test_in_a_constant_market_the_truth_is_the_base_rate(outcomes):
    spike, truth, known = outcomes["constant"]
    assert log_loss(spike, truth) == pytest.approx(log_loss(spike, spike.mean()), abs=1e-3)
    assert average_precision_score(spike, known) == pytest.approx(0.1, abs=0.03)


def test_the_truth_covers_the_generated_seconds_and_nothing_else():
    simulated = market(seed=3)
    simulated.advance(20)
    early = simulated.truth()["ETH-USD"]
    simulated.advance(30)
    late = simulated.truth()["ETH-USD"]
    assert late.second.tolist() == list(range(1_750_000_000, 1_750_000_050))
    assert late.latent.shape == (50, 2)
    # exact: the simulated market is its seed's
    assert late.latent[:20].tobytes() == early.latent.tobytes()
    expected = (4e-5) ** 2 * np.exp(late.latent.sum(axis=1))
    assert np.allclose(late.variance, expected, rtol=1e-12)


def test_nothing_generated_is_no_frame_and_no_truth():
    simulated = market()
    assert simulated.advance(0) == []
    assert len(simulated.truth()["BTC-USD"].second) == 0


@pytest.mark.parametrize("products", [[], ["BTC-USD", "BTC-USD"], [""]])
def test_products_that_are_not_distinct_names_are_refused(products):
    with pytest.raises(BadInputError, match="Name each once"):
        market(products)


@pytest.mark.parametrize("start_ns", [1, -(10**9)])
def test_a_start_within_a_second_or_before_1970_is_refused(start_ns):
    with pytest.raises(BadInputError, match="start_ns"):
        SimulatedMarket(PRESETS["market"], ["BTC-USD"], 1, start_ns)
