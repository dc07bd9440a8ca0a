"""Pictures of candles draw what is there, however much, and nothing where nothing is."""

import numpy as np
import pytest

from barograph.app.reports.markup import html
from barograph.app.reports.quality_charts import _thinned, closes, volumes

START_S = 1_732_924_800


@pytest.mark.parametrize("n", [1, 2, 1499, 1501, 44_101])
def test_a_long_series_is_drawn_by_its_highest_and_lowest(n):
    start_s = START_S + 3600 * np.arange(n)
    values = np.sin(np.arange(n) * 0.7)
    days, low, high = _thinned(start_s, values)
    assert len(days) == len(low) == len(high) <= 1500
    assert days[0] == START_S / 86_400  # exact: the first open
    assert low.min() == values.min()  # exact: one of the values
    assert high.max() == values.max()  # exact: one of the values


def test_rows_without_a_number_leave_a_hole():
    values = np.full(4000, np.nan)
    values[:100] = 5.0
    _, low, high = _thinned(START_S + 3600 * np.arange(4000), values)
    assert np.isnan(low[-1])
    assert np.isnan(high[-1])
    assert low[0] == high[0] == 5.0


@pytest.mark.slow
def test_bad_rows_are_marked():
    start_s, close = START_S + 3600 * np.arange(48), np.linspace(1, 2, 48)
    plain, marked = (html(closes(start_s, close, bad)) for bad in ([], [START_S + 7200]))
    assert "var(--vermilion)" not in plain
    assert "var(--vermilion)" in marked
    assert "var(--green)" in html(volumes(start_s, close))
