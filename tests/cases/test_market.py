"""The series of the market: what old logs and registries know it by, and other horizons on it."""

import pytest

from barograph.cases.market import MARKET, case_name, market_series
from barograph.cases.spikes import HORIZONS, SPIKES
from barograph.errors import BadInputError
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.pipeline.stages import featurize_route, score_route, shadow_route


def test_topics_and_groups_are_those_that_logs_have_positions_of():
    routes = [of(MARKET) for of in (featurize_route, score_route, shadow_route)]
    assert [(each.group, each.source, each.target, each.dead_letters) for each in routes] == [
        ("featurizer", "ticks.raw", "ticks.features", "ticks.deadletter"),
        ("scorer", "ticks.features", "ticks.predictions", "ticks.deadletter"),
        ("shadow", "ticks.features", "ticks.predictions.shadow", "ticks.deadletter"),
    ]


def test_it_is_the_live_path_of_the_spikes():
    assert SPIKES.live is MARKET
    assert (SPIKES.feature_set, SPIKES.horizon_s) == (FEATURE_SET_HASH, MARKET.horizon_s)


def test_another_horizon_reads_the_same_rows_and_writes_topics_of_its_own():
    live = market_series(300)
    routes = [of(live) for of in (score_route, shadow_route)]
    assert [(each.group, each.source, each.target, each.dead_letters) for each in routes] == [
        ("spikes-5m-scorer", "ticks.features", "ticks.predictions.5m", "ticks.deadletter"),
        ("spikes-5m-shadow", "ticks.features", "ticks.predictions.shadow.5m", "ticks.deadletter"),
    ]
    assert (live.value_now, live.horizon_s) == ("realized_vol_300s", 300)
    assert (live.machine, live.rows_by) == (None, SPIKES.name)


def test_no_two_horizons_share_a_topic_or_a_group():
    series = [case.live for case in (SPIKES, *HORIZONS)]
    topics = [topic for live in series for topic in (live.predictions, live.shadow)]
    assert len({*topics}) == 2 * len(series)
    assert len({live.group_prefix for live in series}) == len(series)
    assert {(live.source, live.rows) for live in series} == {(MARKET.source, MARKET.rows)}


@pytest.mark.parametrize(("horizon_s", "name"), [(10, "10s"), (90, "90s"), (900, "15m")])
def test_a_case_is_called_by_its_horizon(horizon_s, name):
    assert case_name(horizon_s) == f"spikes-{name}"


def test_a_horizon_whose_volatility_no_row_has_is_refused():
    with pytest.raises(BadInputError, match="realized_vol_45s is not a column of its rows"):
        market_series(45)
