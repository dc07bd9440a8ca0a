"""The series of the market: what old logs and registries know it by."""

from barograph.cases.market import MARKET
from barograph.cases.spikes import SPIKES
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
