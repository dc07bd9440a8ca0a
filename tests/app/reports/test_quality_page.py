"""A quality report as a page names the rules, the rows and the outcome, and shows the pictures."""

import numpy as np
import pytest

from barograph.app.reports.quality_page import page
from barograph.evaluation.quality import Subject, as_numbers, judge
from barograph.evaluation.quality_report import QualityPolicy
from candle_tables import START_S, table
from page_reader import Reader


def written(frame, **policy):
    subject = Subject(
        source="<f>.csv", product="BTC-USD", form="CSV", step_s=3600,
        now_ns=(START_S + 400 * 3600) * 10**9,
    )  # fmt: skip
    report = judge(frame, QualityPolicy(**policy), subject).report
    numbers = as_numbers(frame).filter(frame["start_s"].is_not_null())
    columns = (numbers[name].to_numpy().astype(np.float64) for name in ("close", "volume"))
    return Reader(page(report, numbers["start_s"].to_numpy(), *columns))


@pytest.mark.slow
def test_a_bad_row_is_named_and_the_rest_passes():
    reader = written(table(300, high={7: "1"}))
    for part in ("Passed. 1 of 300 rows were left out.", "low ≤ open, close ≤ high", "reported",
                 "2024-11-30 07:00", "high 1,"):  # fmt: skip
        assert part in reader.text
    assert reader.tags.count("svg") == 2


@pytest.mark.slow
def test_what_stops_is_said_first():
    reader = written(table(300, close=dict.fromkeys(range(0, 300, 9))))
    assert "Stopped. Not so: every time, price and volume is a number" in reader.text
    assert "✗ stops" in reader.text


@pytest.mark.slow
def test_nothing_wrong_is_said_too():
    assert "No row breaks a rule." in written(table(300)).text


def test_a_table_without_any_time_has_no_pictures():
    reader = written(table(30, start_s=dict.fromkeys(range(30))))
    assert "no time" in reader.text
    assert "svg" not in reader.tags


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["script", "f"])
def test_a_files_name_is_text(tag):
    reader = written(table(300))
    assert tag not in reader.tags
    assert "<f>.csv" in reader.text
