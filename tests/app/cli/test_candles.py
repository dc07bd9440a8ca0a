"""`barograph extract` and `barograph quality`: what they write, answer and refuse."""

import json
import os
import pathlib

import pytest

from barograph.codec import decode_candle
from barograph.log import open_log
from barograph.log.topics import CANDLES
from barograph.simulated.candle_faults import CandleFault, CandleFaultKind
from barograph.simulated.exchange import Exchange, Terms
from barograph.simulated.exchange import running as exchanging
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.pages import CandleTerms
from barograph.simulated.sources import simulated
from barograph.times import format_time
from candle_tables import START_S, csv_of, rows

KEY = "s3cret-k3y"
UNTIL = "2025-06-15T12:00:00Z"
DATA = pathlib.Path(os.environ.get("BAROGRAPH_DATA", "../shared/data")).absolute()

pytestmark = pytest.mark.slow


@pytest.fixture
def exchange():
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, 1_750_000_000 * 10**9)
    faults = (CandleFault(CandleFaultKind.DOWN, 1), CandleFault(CandleFaultKind.TRUNCATED, 3))
    terms = Terms(candles=CandleTerms(faults=faults, key=KEY))
    with exchanging(Exchange(simulated(market), terms=terms)) as running:
        yield running


@pytest.fixture
def csv(tmp_path):
    def make(name="candles.csv", made=None):
        path = tmp_path / name
        path.write_text(csv_of(made or rows(200)))
        return path

    return make


def written(home):
    log = open_log(home)
    try:
        return [decode_candle.of(record) for record in log.read(CANDLES, 0, 0, 10**6)]
    finally:
        log.close()


@pytest.mark.parametrize("source", ["coinbase", "cryptocompare"])
def test_hours_of_a_service_go_into_the_log_and_the_key_nowhere(
    run, exchange, tmp_path, monkeypatch, source
):
    monkeypatch.setenv("CRYPTOCOMPARE_API_KEY", KEY)
    words = ("extract", "--hours", "400", "--until", UNTIL, "--source", source,
             "--url", f"http://{exchange.address}", "--home", tmp_path / "h")  # fmt: skip
    code, out, err = run(*words, "--json")
    (done,) = json.loads(out)["extracts"]
    assert (code, done["new"], done["missing"], done["passed"]) == (0, 400, 0, True)
    assert len(written(tmp_path / "h")) == 400
    assert (tmp_path / "h" / "reports" / "quality" / f"BTC-USD-{source}.html").exists()
    texts = [path.read_bytes() for path in (tmp_path / "h").rglob("*") if path.is_file()]
    assert not any(KEY.encode() in text for text in (*texts, out.encode(), err.encode()))
    before = exchange.pages.candle_requests
    code, out, _ = run(*words)
    assert (code, exchange.pages.candle_requests) == (0, before)
    assert out.startswith(f"BTC-USD from {source}: 0 new hours, 400 were there")


def test_a_wrong_key_is_refused_in_one_line_that_does_not_show_it(
    run, exchange, tmp_path, monkeypatch
):
    monkeypatch.setenv("CRYPTOCOMPARE_API_KEY", "wr0ng-k3y")
    code, _, err = run(
        "extract", "--source", "cryptocompare", "--url", f"http://{exchange.address}",
        "--until", UNTIL, "--home", tmp_path,
    )  # fmt: skip
    assert code == 2
    assert "valid auth key" in err
    assert "wr0ng" not in err
    assert err.count("\n") == 1


def test_a_file_goes_into_the_log_once(run, csv, tmp_path):
    words = ("extract", "--file", csv(), "--home", tmp_path / "h")
    code, out, _ = run(*words, "--json")
    (done,) = json.loads(out)["extracts"]
    assert (code, done["new"], done["source"]) == (0, 200, "file")
    assert done["form"].startswith("CSV with commas: time, open, high, low, close, volume")
    code, out, _ = run(*words)
    assert "0 new hours, 200 were there" in out
    assert [each.start_s for each in written(tmp_path / "h")] == [
        START_S + hour * 3600 for hour in range(200)
    ]


def test_nothing_is_written_of_any_file_where_one_is_stopped(run, csv, tmp_path):
    broken = csv("broken.csv", [*rows(3), *[row for row in rows(60) if row.start_s < 0]])
    broken.write_text(broken.read_text() + ",,,,,5\n" * 24)
    code, out, _ = run("extract", "--file", csv(), "--file", broken, "--home", tmp_path / "h")
    assert code == 1
    assert "✗ stopped, nothing is used: 27 candles" in out
    assert "line 5, no time" in out
    assert not (tmp_path / "h" / "log.sqlite").exists()


def test_a_file_is_judged_alone(run, csv, tmp_path):
    code, out, _ = run("quality", csv(), "--home", tmp_path / "h", "--json")
    answer = json.loads(out)
    assert (code, answer["report"]["passed"], answer["report"]["good"]) == (0, True, 200)
    assert pathlib.Path(answer["page"]).exists()
    assert not (tmp_path / "h" / "log.sqlite").exists()


@pytest.mark.skipif(not (DATA / "hourly").is_dir(), reason=f"{DATA}/hourly is not there")
def test_a_broken_download_is_stopped_and_one_bad_row_in_five_years_is_not(run, tmp_path):
    code, out, _ = run("quality", DATA / "hourly/corrupt_day_20250528.csv", "--home", tmp_path)
    assert code == 1
    assert "✗ not so: every time, price and volume is a number: 24, allowed 1" in out
    whole = DATA / "hourly/btc_usd_hourly_to_20241130.csv.gz"
    code, out, _ = run("extract", "--file", whole, "--home", tmp_path, "--json")
    (done,) = json.loads(out)["extracts"]
    assert (code, done["new"], done["bad"]) == (0, 44_100, 1)
    rules = {rule["name"]: rule for rule in done["report"]["rules"]}
    (row,) = rules["range"]["first"]
    assert (row["start_s"], rules["range"]["stops"]) == (1_609_736_400, False)
    assert 1_609_736_400 not in {each.start_s for each in written(tmp_path)}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--until", "2025-06-15T12:30:00Z"), "no hour ends then"),
        (("--until", "2261-01-01T00:00:00Z"), "has not ended"),
        (("--until", "yesterday"), "not an ISO 8601 time"),
        (("--product", "BTC/USD"), "not of the form BTC-USD"),
        (("--url", "nowhere"), "no http or https address"),
        (("--source", "cryptocompare"), "CRYPTOCOMPARE_API_KEY: it is not set"),
        (("--file", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(run, tmp_path, monkeypatch, words, why):
    monkeypatch.delenv("CRYPTOCOMPARE_API_KEY", raising=False)
    code, _, err = run("extract", *words, "--home", tmp_path)
    assert (code, why in err) == (2, True)


def test_answers_are_held_first_and_judged_and_written_by_the_next_run(run, exchange, tmp_path):
    words = ("extract", "--hours", "400", "--until", UNTIL, "--source", "coinbase",
             "--url", f"http://{exchange.address}", "--home", tmp_path / "h", "--json")  # fmt: skip
    code, out, _ = run(*words, "--hold")
    (held,) = json.loads(out)["extracts"]
    assert (code, held["held"], held["new"], held["report"]) == (0, 400, 0, None)
    assert written(tmp_path / "h") == []
    asked = exchange.pages.candle_requests
    code, out, _ = run(*words)
    (done,) = json.loads(out)["extracts"]
    assert (code, done["new"], done["held"], done["requests"]) == (0, 400, 0, 0)
    assert done["reused"] == held["requests"] - sum(held["failures"].values())
    assert exchange.pages.candle_requests == asked


def test_of_a_file_only_hours_up_to_a_time_are_held_judged_and_written(run, csv, tmp_path):
    until = format_time((START_S + 120 * 3600) * 10**9)
    words = ("extract", "--file", csv(), "--until", until, "--home", tmp_path / "h", "--json")
    code, out, _ = run(*words, "--hold")
    (held,) = json.loads(out)["extracts"]
    assert (code, held["held"], held["new"], held["left_out"]) == (0, 120, 0, {"later": 80})
    assert not (tmp_path / "h" / "reports").exists()
    code, out, _ = run(*words)
    (done,) = json.loads(out)["extracts"]
    assert (code, done["new"], done["left_out"], done["until_s"]) == (
        0, 120, {"later": 80}, START_S + 120 * 3600,
    )  # fmt: skip
    assert done["report"]["judged_time_ns"] == (START_S + 120 * 3600) * 10**9
    assert len(written(tmp_path / "h")) == 120


def test_a_file_is_judged_as_at_a_time(run, csv, tmp_path):
    end_s = START_S + 120 * 3600
    until = format_time(end_s * 10**9)
    code, out, _ = run("quality", csv(), "--until", until, "--home", tmp_path / "h", "--json")
    report = json.loads(out)["report"]
    assert (code, report["rows"], report["last_s"]) == (0, 120, end_s - 3600)
    assert report["judged_time_ns"] == end_s * 10**9
    code, _, err = run(
        "quality", csv(), "--until", "2025-06-15T12:30:00Z", "--home", tmp_path / "h"
    )
    assert (code, err.count("\n")) == (2, 1)


def test_what_the_gate_would_stop_is_held_all_the_same(run, csv, tmp_path):
    bad = csv("broken.csv", rows(3))
    bad.write_text(bad.read_text() + ",,,,,5\n" * 24)
    words = ("extract", "--file", bad, "--home", tmp_path / "h", "--json")
    assert run(*words, "--hold")[0] == 0
    assert run(*words)[0] == 1


@pytest.mark.parametrize("with_follow", ["--hold", "--until=2025-06-15T12:00:00Z"])
def test_what_has_no_next_hour_is_not_followed(run, tmp_path, with_follow):
    code, out, err = run("extract", "--follow", with_follow, "--home", tmp_path / "h")
    assert (code, out) == (2, "")
    assert "--follow" in err
