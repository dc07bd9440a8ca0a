"""The market series: feature rows of ticks, one per second, and the volatility of the next minute.

For another horizon on the same rows, use `dataclasses.replace` with another `value_now`, other
prediction topics and group prefix, and no machine.
"""

from barograph.cases.cold_start import ColdStart
from barograph.cases.live_series import LiveSeries
from barograph.evaluation.labels import HORIZON_S
from barograph.feature_set.catalogue import FEATURE_SET_HASH, NAMES
from barograph.feature_set.featurizer import Featurizer
from barograph.log.topics import DEAD_LETTERS, FEATURES, PREDICTIONS, SHADOW, TICKS

MARKET = LiveSeries(
    source=TICKS,
    rows=FEATURES,
    predictions=PREDICTIONS,
    shadow=SHADOW,
    dead_letters=DEAD_LETTERS,
    group_prefix="",
    columns=NAMES,
    feature_set=FEATURE_SET_HASH,
    value_now=f"realized_vol_{HORIZON_S}s",
    unit="1/√s",
    step_s=1,
    horizon_s=HORIZON_S,
    staleness="staleness_s",
    machine=Featurizer,
    cold_start=ColdStart,
)
"""Forecasts whether the realised volatility of the next 60 seconds reaches tau."""
