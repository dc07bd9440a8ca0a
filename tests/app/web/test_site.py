"""The site: its cases, and what it says before anything was read."""

import pytest

from barograph.app.settings import Settings
from barograph.app.web.record_board import RecordBoard
from barograph.app.web.series_board import SeriesBoard
from barograph.app.web.site import Site
from barograph.cases.churn import CHURN
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError


def site_of(tmp_path, *cases):
    return Site(Settings(home=tmp_path), tmp_path, cases, print)


def test_the_first_series_is_the_default(tmp_path):
    site = site_of(tmp_path, CHURN, SPIKES)
    assert site.default == "spikes"
    assert isinstance(site.board(""), SeriesBoard)
    assert isinstance(site.board("churn"), RecordBoard)
    assert site_of(tmp_path, CHURN).default == "churn"


def test_two_cases_of_one_name_are_refused(tmp_path):
    with pytest.raises(BadInputError, match="two cases"):
        site_of(tmp_path, SPIKES, SPIKES)


def test_a_site_that_does_not_follow_the_log_says_so(tmp_path):
    assert "start the server again" in site_of(tmp_path, SPIKES).log_problem
