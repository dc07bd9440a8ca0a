"""Datasets by the command line: of records, recordings and local times."""

import json
from pathlib import Path

import polars as pl
import pytest

from barograph.times import format_time
from barograph.types import MAX_PRODUCTS
from coinbase_messages import START, S, ticker


def test_a_dataset_of_records_says_what_was_refused_and_where(run, people):
    file = people(40, b"nonsense", b'{"customerID": "\\u001b[2J"}')
    words = ("dataset", file, "--case", "churn", "--home", "h")
    code, out, _ = run(*words, "--json")
    made = json.loads(out)
    assert (code, made["rows"], made["refused"]) == (0, 40, {"missing_field": 1, "not_json": 1})
    code, out, _ = run(*words)
    shown = " ".join(out.split())
    assert "40 of 40 rows" in shown
    assert "people.ndjson, line 41:" in shown


def test_a_dataset_of_records_needs_files(run):
    code, out, err = run("dataset", "--case", "churn", "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--lake", "l"), "it is for --engine local and spark"),
        (("--engine", "local", "--lake", ""), "it is empty: name a folder or an address"),
        (("--engine", "local", "--scratch", ""), "it is empty: name a folder or an address"),
        (("--engine", "local", "--lake", "nowhere"), "nowhere: there is no such folder"),
    ],
)
def test_a_place_of_no_use_is_refused(run, words, why):
    code, out, err = run("dataset", *words, "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert why in err


@pytest.mark.slow
def test_what_comes_of_more_products_than_are_remembered_is_counted_and_the_cure_helps(run):
    names = [f"P{number}-USD" for number in range(MAX_PRODUCTS + 1)]
    lines = [
        json.dumps(ticker(trade, product_id=name, time=format_time(START + trade * 2 * S)))
        for trade in range(2)
        for name in (names, names[-2:])[trade]
    ]
    Path("many.ndjson").write_text("\n".join(lines), encoding="utf-8")
    words = ("dataset", "many.ndjson", "--home", "h")
    code, out, _ = run(*words)
    assert code == 0
    assert "unknown_product 2" in out
    code, out, _ = run(*words, "--products", ",".join(names[-2:]), "--json")
    assert (code, json.loads(out)["products"].keys()) == (0, set(names[-2:]))


def test_recordings_without_a_wanted_product_are_named_as_such(run):
    Path("one.ndjson").write_text(json.dumps(ticker(0)), encoding="utf-8")
    code, _, err = run("dataset", "one.ndjson", "--home", "h", "--products", "ETH-USD")
    assert (code, err.count("\n")) == (2, 1)
    assert "is of a product that was asked for (BTC-USD was not asked for)" in err
    assert err.endswith("Name one that it has, or leave --products out.\n")
    code, _, err = run("predict", ".", "--out", "p.parquet", "--home", "h")
    assert "no version has this alias" in err  # a directory stands for its recordings


@pytest.mark.slow
def test_local_times_of_a_recording_are_read_in_the_zone_that_is_named(run):
    lines = [
        {"timestamp": f"2025-07-01T12:00:{second:02}.5", "product_id": "BTC-USD",
         "best_bid": "100.00", "best_ask": f"100.{1 + second % 7:02}"}
        for second in range(60)
    ]  # fmt: skip
    Path("local.ndjson").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    firsts = []
    for zone in ("UTC", "America/New_York"):
        code, out, _ = run("dataset", "local.ndjson", "--home", "h", "--zone", zone, "--json")
        assert code == 0
        assert "recorder's clock `timestamp`" in json.loads(out)["forms"]["local.ndjson"]
        firsts.append(pl.read_parquet(next(Path("h").rglob("spikes*.parquet")))["second"].min())
    assert firsts[1] - firsts[0] == 4 * 3600
    code, _, err = run("dataset", "local.ndjson", "--home", "h", "--zone", "Mars/Base")
    assert (code, err.count("\n")) == (2, 1)


def test_a_dataset_up_to_a_time_is_of_a_series_whose_log_is_its_source(run):
    code, out, err = run("dataset", "--until", "2026-01-31T00:00:00Z", "--home", "h")
    assert (code, out, "--until" in err) == (2, "", True)
    code, out, err = run("dataset", "--case", "hourly", "--until", "noon", "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "as 2026-01-31T00:00:00Z" in err
