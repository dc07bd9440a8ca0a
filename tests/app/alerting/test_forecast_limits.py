"""Limits of forecasts as the settings write them."""

import pytest

from barograph.app.alerting.forecast_limits import forecast_limits


def test_each_case_has_its_limit():
    # exact: as written
    assert forecast_limits("hourly=0.8, hourly-24h = 0.6") == {"hourly": 0.8, "hourly-24h": 0.6}
    assert forecast_limits("") == {}


@pytest.mark.parametrize("text", ["hourly", "=1", "hourly=x", "hourly=0", "hourly=nan", "a=1,a=2"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(ValueError, match=r"\S"):
        forecast_limits(text)
