"""The market series: feature rows of ticks, one per second, and the volatility that follows.

All horizons share the rows, which the case `spikes` computes; each has prediction topics and
consumer groups of its own. A horizon of one's own is `market_series` of it, if the rows have its
realised volatility.
"""

from functools import partial

from barograph.cases.cold_start import ColdStart
from barograph.cases.live_series import LiveSeries
from barograph.evaluation.labels import HORIZON_S, least_labels
from barograph.feature_set.catalogue import FEATURE_SET_HASH, NAMES
from barograph.feature_set.featurizer import Featurizer
from barograph.log.topics import DEAD_LETTERS, FEATURES, PREDICTIONS, SHADOW, TICKS


def case_name(horizon_s: int) -> str:
    """The case of a horizon: `spikes` of a minute, else with the horizon, as `spikes-5m`."""
    if horizon_s == HORIZON_S:
        return "spikes"
    return f"spikes-{_short(horizon_s)}"


def market_series(horizon_s: int) -> LiveSeries:
    """The live path of forecasts of the realised volatility of the next `horizon_s` seconds.

    Raises BadInputError for a horizon whose `realized_vol` the rows do not have.
    """
    own = horizon_s == HORIZON_S
    name = "" if own else f".{_short(horizon_s)}"
    return LiveSeries(
        source=TICKS,
        rows=FEATURES,
        predictions=f"{PREDICTIONS}{name}",
        shadow=f"{SHADOW}{name}",
        dead_letters=DEAD_LETTERS,
        group_prefix="" if own else f"{case_name(horizon_s)}-",
        columns=NAMES,
        feature_set=FEATURE_SET_HASH,
        value_now=f"realized_vol_{horizon_s}s",
        unit="1/√s",
        step_s=1,
        horizon_s=horizon_s,
        staleness="staleness_s",
        machine=Featurizer if own else None,
        rows_by="" if own else case_name(HORIZON_S),
        cold_start=partial(ColdStart, horizon_s=horizon_s, least_seen=least_labels(horizon_s)),
    )


def _short(horizon_s: int) -> str:
    return f"{horizon_s}s" if horizon_s % 60 else f"{horizon_s // 60}m"


MARKET = market_series(HORIZON_S)
"""Forecasts whether the realised volatility of the next 60 seconds reaches tau."""
