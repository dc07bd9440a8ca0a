"""The terminal says which rows are bad and why, and what an extract did, a line each."""

from barograph.app.terminal.quality_lines import extracted, quality
from barograph.evaluation.quality import Subject, judge
from barograph.evaluation.quality_report import QualityPolicy
from barograph.feed.extracted import Extracted, RevisedHour
from candle_tables import START_S, table


def report_of(frame):
    subject = Subject(
        source="f.csv", product="BTC-USD", form="CSV with commas", step_s=3600,
        now_ns=(START_S + 400 * 3600) * 10**9,
    )  # fmt: skip
    return judge(frame, QualityPolicy(), subject).report


def test_bad_rows_stand_under_their_rule():
    lines = quality(report_of(table(300, high={7: "1"})), "h/report.html").splitlines()
    assert lines[0] == "form: CSV with commas"
    assert lines[1].startswith("✓ 299 of 300 candles are good, 2024-11-30 00:00Z to 2024-12-12")
    assert lines[2] == "! not so: low ≤ open, close ≤ high: 1, allowed 1"
    assert lines[3].startswith("    line 9, 2024-11-30 07:00Z: open ")
    assert lines[-1] == "report: h/report.html"


def test_what_stops_has_another_mark():
    text = quality(report_of(table(24, start_s=dict.fromkeys(range(24)))), "p")
    assert "✗ stopped, nothing is used: 24 candles" in text
    assert "✗ not so: every time, price and volume is a number: 24, allowed 1" in text
    assert "✗ not so: at least one candle breaks no rule\n" in text
    assert text.count("no time") == 3


def test_an_extract_names_revisions_failures_and_what_it_left_out():
    done = Extracted(
        source="coinbase", product="BTC-USD", until_s=START_S, hours=10, new=3, there=6, missing=1,
        requests=4, failures={"HTTP status 503": 2}, left_out={"repeated": 1}, revised=21,
        first_revised=[RevisedHour(start_s=START_S, version=2, changed="volume 1 → 2")],
        stopped=True,
    )  # fmt: skip
    assert extracted(done, "").splitlines() == [
        "BTC-USD from coinbase: 3 new hours, 6 were there",
        "1 hours are missing",
        "4 requests, 2 of them of no use",
        "  2 × HTTP status 503",
        "repeated: 1",
        "! revised: 2024-11-30 00:00Z is version 2 now (volume 1 → 2)",
        "! 21 hours were revised in all",
        "stopped: run the same command to go on",
    ]


def test_an_extract_of_a_file_says_what_the_gate_says():
    report = report_of(table(300, high={7: "1"}))
    done = Extracted(source="file", product="BTC-USD", until_s=START_S, form="CSV", report=report)
    text = extracted(done, "h/p.html")
    assert "✓ 299 of 300 candles are good" in text
    assert text.endswith("report: h/p.html")
