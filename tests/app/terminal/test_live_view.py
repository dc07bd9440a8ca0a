"""The live view: what a person reads follows from the predictions of the log."""

import io

from rich.console import Console

from barograph.app.terminal.live_view import render
from watched_predictions import NS, prediction, watched


def text_of(watch, clock_s=1004):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(watch, "simulated, 3 ticks", clock_ns=lambda: clock_s * NS))
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
    assert "60% for the next 60 s" in text_of(watch)
    assert "SPIKE AHEAD" in text_of(watch)


def test_a_silent_product_says_for_how_long(tmp_path):
    watch = watched(tmp_path, [prediction("BTC-USD", 1000, 0.1)])
    assert "silent 29 s" in text_of(watch, clock_s=1030)


def test_an_empty_log_says_that_it_waits(tmp_path):
    assert "waiting for the first prediction" in text_of(watched(tmp_path, []))
