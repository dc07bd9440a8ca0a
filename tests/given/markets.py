"""Hours of a market as a dataset, in a moment: its law, without exchange, frames and archive."""

import dataclasses

import numpy as np
import polars as pl

from barograph.cases.case import Dataset
from barograph.cases.market import MARKET
from barograph.cases.spikes import SPIKES
from barograph.codec import EVENT, TICK
from barograph.evaluation.labels import later
from barograph.feature_set.featurizer import Featurizer
from barograph.learning.candidates import logistic
from barograph.learning.relative import Ratio, Relative
from barograph.registry.model import TAU
from barograph.simulated.law import PRESETS, LatentVolatility, generator
from barograph.training.dataset_parts import frame_of

START_S = 1_750_000_000
FEW = ("persistence", "har", "ridge", "ticks", "logistic", "lightgbm_regression")
_NS = 1_000_000_000
_TICKS_PER_S = 2.4
_VALUE_NOW = MARKET.places[MARKET.value_now]


def market(preset, hours, seed, products=("BTC-USD",), start_s=START_S):
    """The dataset of a market of `market.PRESETS`: ticks through the featurizer that runs live."""
    model, seconds = PRESETS[preset], int(hours * 3600)
    latent = LatentVolatility(model, products, seed).advance(seconds).sum(axis=2)
    frames = []
    for product, deviation in zip(products, latent, strict=True):
        rng = generator(seed, "ticks", product)
        rows = _rows(model.volatility * np.exp(deviation / 2), start_s, product, rng)
        outcome = later(rows["second"], rows["values"][:, _VALUE_NOW], horizon_s=MARKET.horizon_s)
        frames.append(frame_of(rows, outcome, product))
    return Dataset(pl.concat(frames), f"{preset} {hours} {seed}")


def spikes_of(names=FEW, name="spikes"):
    """The case of spikes with some of its candidates, and a classifier, which it has none of."""

    def contenders(features):
        ratios = [Ratio(f"observed_vol_{window_s}s", TAU) for window_s in (10, 60, 300)]
        made = {
            each.name: each
            for each in (*SPIKES.candidates(features), logistic(Relative.of(ratios)))
        }
        return tuple(made[name] for name in names if name in made)

    return dataclasses.replace(SPIKES, name=name, candidates=contenders)


def _rows(volatility, start_s, product, rng):
    """Feature rows of a diffusion that is seen at random moments."""
    time_s = np.sort(rng.uniform(0, len(volatility), rng.poisson(_TICKS_PER_S * len(volatility))))
    steps = volatility[time_s.astype(np.int64)] * np.sqrt(np.diff(time_s, prepend=0.0))
    mid = 50_000 * np.exp(np.cumsum(steps * rng.standard_normal(len(time_s))))
    half_spread = 0.005 * rng.geometric(0.75, len(mid))
    events = np.zeros(len(mid), EVENT)
    events["kind"] = TICK
    events["event_time_ns"] = start_s * _NS + (time_s * _NS).astype(np.int64)
    events["receive_time_ns"] = events["event_time_ns"]
    events["bid"], events["ask"] = mid - half_spread, mid + half_spread
    events["side"] = rng.choice([-1, 1], len(mid))
    events["price"] = np.where(events["side"] > 0, events["ask"], events["bid"])
    for name in ("bid_size", "ask_size", "last_size"):
        events[name] = np.round(rng.exponential(0.1, len(mid)), 8)
    events["volume_24h"] = 1000.0
    events["trade_id"] = 1 + np.arange(len(mid))
    featurizer = Featurizer()
    featurizer.product_index(product)
    rows, late = featurizer.update(events)
    assert not len(late)
    return rows
