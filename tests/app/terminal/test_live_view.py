"""The live view: what a person reads follows from the predictions of the log."""

import io
import re

import pytest
from rich.console import Console

from barograph import codec
from barograph.app.terminal.live_view import render
from barograph.cases.cold_start import COLD_START
from barograph.feature_set.featurizer import Featurizer
from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, ensure_topics
from barograph.pipeline.watch import PredictionWatch
from barograph.types import Message, Record, Verdict
from second_ticks import ticks
from watched_predictions import NS, prediction, watched


def text_of(watch, clock_s=1004, width=80, warmups_s=None):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(
        render(watch, "simulated, 3 ticks", lambda: clock_s * NS, warmups_s or {"spikes/3": 300})
    )
    return console.export_text()


def test_each_product_shows_its_latest_prediction(tmp_path):
    watch = watched(
        tmp_path,
        [
            prediction("BTC-USD", 1000, 0.1),
            prediction("BTC-USD", 1001, 0.25),
            prediction("ETH-USD", 1001, None),
        ],
    )
    shown = text_of(watch)
    assert "50,000.00" in shown
    assert "25.0%" in shown
    assert "0.50" in shown
    assert "50%" in shown
    assert "GAP" in shown
    assert "spikes/3" in shown
    assert "none yet" in shown


def test_an_alert_is_raised_once_for_each_rise_over_the_threshold(tmp_path):
    levels = [0.1, 0.6, 0.7, 0.2, 0.8]
    watch = watched(tmp_path, [prediction("BTC-USD", 1000 + i, p) for i, p in enumerate(levels)])
    assert watch.alert_count == 2
    shown = text_of(watch, clock_s=1008)
    assert "00:16:42  BTC-USD  70% at 50,000.00, lasted 2 s, outcome open" in shown
    assert "00:16:45  BTC-USD  80% at 50,000.00, for 3 s, outcome open" in shown
    assert "SPIKE AHEAD" in shown


def test_a_minute_later_an_alert_says_whether_it_was_right(tmp_path):
    """One of two alerts meets a volatility at tau sixty seconds after; one ends in a gap."""
    levels = {1000: 0.9, 1020: 0.8, 1090: 0.7, 1091: None}
    values = {1060: 2e-4}
    watch = watched(
        tmp_path,
        [
            prediction("BTC-USD", n, levels.get(n, 0.1), value_now=values.get(n, 5e-5))
            for n in range(1000, 1100)
        ],
    )
    shown = text_of(watch, clock_s=1101)
    assert "90% at 50,000.00, lasted 1 s, right" in shown
    assert "80% at 50,000.00, lasted 1 s, wrong" in shown
    assert "70% at 50,000.00, 1 s, then GAP, outcome open" in shown
    assert "alerts (UTC): 1 right, 1 wrong" in shown
    assert watch.alert_count == 3
    watch.silent(1200 * NS, 30.0)
    assert "1 s, then GAP, not observed" in text_of(watch, clock_s=1200)


EXTREME = {
    "BTC-PERP-INTX": 100_000.0, "PEPE-USD": 0.00000644, "BIT-29AUG25-CDE": 99_999.5,
    "SHIB-USD": 1.2345e-8, "BTC-USD": 100_000.0, "ETH-USD": 4_321.0, "DOGE-USD": 0.12345,
    "SOL-USD": 12.3456, "XRP-USD": 2.0, "USDT-USD": 1.0,
}  # fmt: skip


def extreme(tmp_path, of_tau=1.09):
    rows = [
        prediction(
            name, 1000 + n, 1.0 if n == 299 else 0.02, mid=mid, value_now=of_tau * 1e-4
        )
        for name, mid in EXTREME.items()
        for n in range(300)
    ]  # fmt: skip
    return watched(tmp_path, rows)


def table_of(shown):
    """The lines from the table's title to its last row."""
    lines = [line.rstrip() for line in shown.splitlines()]
    first = next(n for n, line in enumerate(lines) if line.startswith("product"))
    return lines[first : first + 2 + len(EXTREME)]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_at_any_width_products_and_alerts_are_whole(tmp_path, width):
    shown = table_of(text_of(extreme(tmp_path), clock_s=1301, width=width))
    rows = {line.split()[0]: line for line in shown[2:]}
    assert rows.keys() == EXTREME.keys()
    for row in rows.values():
        assert "SPIKE AHEAD" in row
        assert "100.0%" in row
        assert "…" not in row
        assert len(row) <= width
    title = shown[0].split()
    assert ("latency" in title) == (width >= 120)
    assert ("last" in title) == (width >= 80)
    if width >= 60:
        assert "109%" in rows["BTC-PERP-INTX"]
        assert "100,000.00" in rows["BTC-PERP-INTX"]
        assert "0.000006440" in rows["PEPE-USD"]
        assert "0.00000001235" in rows["SHIB-USD"]


def test_on_80_columns_a_row_is_76_wide_and_a_wider_terminal_shows_more_history(tmp_path):
    watch = extreme(tmp_path)
    history = []
    for width in (80, 120, 200):
        shown = table_of(text_of(watch, clock_s=1301, width=width))
        assert max(map(len, shown)) <= width - 4
        history.append(int(re.search(r"last (\d+)", shown[0])[1]))
    assert history[0] >= 8
    assert history[1] >= history[0] + 20
    assert history[2] >= history[1] + 70


def test_a_share_of_tau_beyond_a_thousand_percent_fits(tmp_path):
    shown = table_of(text_of(extreme(tmp_path, of_tau=123.0), clock_s=1301, width=80))
    assert all("12300%" in row for row in shown[2:])
    assert max(map(len, shown)) <= 76


def with_rows(tmp_path, seconds, made):
    """A watch of a product with so many rows of a second each, and one prediction after them."""
    log = open_log(tmp_path)
    ensure_topics(log)
    machine = Featurizer()
    records = [Record(m.topic, 0, n, m.key, m.value) for n, m in enumerate(ticks(seconds + 2))]
    rows = machine.receive(records).values
    log.append([Message(FEATURES, product, value) for product, value in rows])
    watch = PredictionWatch(log)
    log.append([Message(PREDICTIONS, made.product, codec.encode(made))])
    watch.look()
    return watch


def test_a_fresh_product_counts_and_shows_what_is_known(tmp_path):
    cold = {"model": COLD_START, "value_now": None, "tau": None, "alarm": False}
    warming = prediction("BTC-USD", 1000, None, **{**cold, "verdict": Verdict.WARMUP})
    shown = " ".join(text_of(with_rows(tmp_path / "a", 35, warming)).split())
    assert "WARMUP 35/60 s" in shown
    assert "BTC-USD: first probability in about 11.4 min; spread 0 bps; vol 10 s " in shown
    assert ", 30 s " in shown
    learning = prediction("BTC-USD", 1000, None, **{**cold, "verdict": Verdict.NO_MODEL})
    shown = " ".join(text_of(with_rows(tmp_path / "b", 531, learning)).split())
    assert "learning 412/600" in shown
    assert "first probability in about 3.13 min" in shown
    assert ", 300 s " in shown
    of_model = prediction("BTC-USD", 1000, None, verdict=Verdict.GAP)
    shown = text_of(with_rows(tmp_path / "c", 150, of_model))
    assert "GAP 150/300 s" in shown
    assert "first probability in about 2.5 min" in shown


def test_a_silent_product_says_for_how_long(tmp_path):
    watch = watched(tmp_path, [prediction("BTC-USD", 1000, 0.1)])
    assert "silent 29 s" in text_of(watch, clock_s=1030)


def test_an_empty_log_says_that_it_waits(tmp_path):
    assert "waiting for the first prediction" in text_of(watched(tmp_path, []))
