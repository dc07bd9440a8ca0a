"""Whole replays: the real recordings, and a process that is killed while it replays."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import datetime
from itertools import islice

import pytest

from barograph.feed.feed import Feed
from barograph.feed.replay import replay
from barograph.log import open_log
from barograph.times import format_time
from barograph.types import Gap
from coinbase_messages import START, S, ticker
from log_contents import events, heard_again, letters, traces

MOST_LINES = 100_000


def replayed(path, home):
    home.mkdir()
    with closing(open_log(home)) as log:
        feed = Feed(log, home / "archive")
        summary = replay(feed, [path])
        feed.close()
        logged = events(log)
        assert letters(log) == []
        assert heard_again(home / "archive") == logged
    assert {name: sum(not isinstance(e, Gap) for e in each) for name, each in logged.items()} == (
        summary.products
    )
    return summary


def plainly(path, quote, trade_ids=True):
    """Ticks by product and gaps, counted from a file in the most obvious way."""
    products, gaps, last = Counter(), Counter(), {}
    with gzip.open(path, "rt") as lines:
        for line in lines:
            tick = quote(json.loads(line))
            if tick is None:
                continue
            product, time, trade_id = tick
            products[product] += 1
            moment = datetime.fromisoformat(time)
            if product in last:
                latest, known = last[product]
                if trade_ids and trade_id is not None and trade_id > known + 1:
                    gaps["trade_id"] += 1
                elif (moment - latest).total_seconds() > 10:
                    gaps["silence"] += 1
                moment = max(moment, latest)
            last[product] = moment, trade_id
    return products, gaps


def bare(line):
    return line["product_id"], line["time"], line.get("trade_id")


@pytest.mark.parametrize(
    ("name", "ticks", "gaps"),
    [
        ("coinbase_btc_20251112_14_exchangefeed", 5996, {"trade_id": 3, "silence": 1}),
        ("coinbase_btc_20251201_0456_0523utc", 8141, {"silence": 2}),
        ("coinbase_btc_20251201_1644_zone_unknown", 3996, {}),
        ("coinbase_btc_20251205_06", 61506, {"silence": 26}),
        ("coinbase_btc_eth_20260404_0319_0519", 30123, {}),
    ],
)
def test_a_real_recording_gives_every_tick_and_every_hole(data, tmp_path, name, ticks, gaps):
    path = data / "recordings" / f"{name}.ndjson.gz"
    summary = replayed(path, tmp_path / "home")
    assert (summary.lines, summary.ticks, summary.gaps) == (ticks, ticks, gaps)
    assert (summary.products, summary.gaps) == plainly(path, bare)


@pytest.mark.parametrize(
    ("name", "gaps"),
    [("bitstamp_btcusd_20150501_ticker", {"silence": 2060}), ("binance_bench_20240809", {})],
)
def test_a_venue_whose_trade_ids_return_has_gaps_by_silence_only(data, tmp_path, name, gaps):
    """Also where two lines of three tell the trade of the line before, as at Binance."""
    path = tmp_path / "first.ndjson.gz"
    with gzip.open(data / "benchmark" / f"{name}.ndjson.gz") as whole, gzip.open(path, "wb") as cut:
        cut.writelines(islice(whole, MOST_LINES))
    summary = replayed(path, tmp_path / "home")
    assert summary.gaps == gaps
    assert (summary.products, summary.gaps) == plainly(path, bare, trade_ids=False)


def in_envelope(line):
    envelope = line.get("payload", line)
    if envelope["channel"] != "ticker":
        return None
    ((ticker,),) = (event["tickers"] for event in envelope["events"])
    return ticker["product_id"], envelope["timestamp"][:26].rstrip("Z") + "Z", None


def in_raw(line):
    frame = json.loads(line["raw"])
    return bare(frame) if frame["type"] == "ticker" else None


def flat(line):
    time = line.get("timestamp") or line["ws_timestamp"][:26].rstrip("Z")
    return line["product_id"], time + "Z", None


@pytest.mark.parametrize(
    ("name", "quote", "quiet", "hidden"),
    [
        # The one hole of its sequence_num (0 → 2) shows in no other way.
        ("advanced_trade_envelope", in_envelope, 0, {"sequence": 1}),
        ("envelope_in_payload_300_lines", in_envelope, 1, {}),
        ("exchange_feed_in_ts_pair_raw", in_raw, 4, {}),
        ("flat_with_raw_object", flat, 0, {}),
        ("flat_two_products_with_sequence_num", flat, 0, {}),
    ],
)
def test_a_wrapped_recording_gives_every_tick_and_every_hole(
    data, tmp_path, name, quote, quiet, hidden
):
    path = data / "recordings" / "as_recorded" / f"{name}.ndjson.gz"
    summary = replayed(path, tmp_path / "home")
    products, gaps = plainly(path, quote)
    assert (summary.products, summary.gaps, summary.quiet) == (products, gaps | hidden, quiet)


def test_two_wrappers_of_one_recording_give_the_same_ticks(data, tmp_path):
    def ticks(name, home):
        replayed(data / "recordings" / f"{name}.ndjson.gz", home)
        with closing(open_log(home)) as log:
            return [
                (e.event_time_ns, e.price, e.bid, e.ask, e.bid_size, e.trade_id, e.side)
                for e in events(log)["BTC-USD"]
                if not isinstance(e, Gap)
            ]

    assert ticks("coinbase_btc_20251112_14_exchangefeed", tmp_path / "bare") == ticks(
        "as_recorded/exchange_feed_in_ts_pair_raw", tmp_path / "wrapped"
    )


REPLAY = """
import sys
from pathlib import Path
from barograph.feed.feed import Feed
from barograph.feed.replay import replay
from barograph.log import open_log

home, path = Path(sys.argv[1]), Path(sys.argv[2])
feed = Feed(open_log(home), home / "archive")
feed.batch_lines = 50
replay(feed, [path], progress=lambda done, total, ticks: print(ticks, flush=True))
"""


def test_a_replay_killed_at_any_moment_leaves_what_an_unkilled_one_leaves(tmp_path):
    path, home, whole = tmp_path / "recording", tmp_path / "home", tmp_path / "whole"
    lines = [
        json.dumps(ticker(n + n // 97, time=format_time(START + n * S // 3))) for n in range(5000)
    ]
    lines[1000::500] = ["garbage"] * 8
    path.write_text("\n".join(lines))
    for each in (home, whole):
        each.mkdir()
    kills = 0
    for commits in [1, 3, 7, 2, 11, 5, None]:
        with subprocess.Popen(
            [sys.executable, "-c", REPLAY, home, path], stdout=subprocess.PIPE, env=os.environ
        ) as child:
            for number, _ in enumerate(child.stdout, 1):
                if number == commits:
                    # Where it is by then nobody knows: reading, compressing, in a transaction.
                    child.send_signal(signal.SIGKILL)
                    break
            child.stdout.read()
        kills += child.returncode == -signal.SIGKILL
    assert child.returncode == 0
    assert kills, "how often depends on the machine"
    with closing(open_log(whole)) as unkilled, closing(open_log(home)) as log:
        feed = Feed(unkilled, whole / "archive")
        replay(feed, [path])
        feed.close()
        assert traces(log, home / "archive") == traces(unkilled, whole / "archive")
        assert len(letters(log)) == 8
