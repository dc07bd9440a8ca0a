"""Predictions whose outcome is known."""

import numpy as np

from barograph.types import Prediction, Verdict

NS = 10**9


def prediction(second, *, p=0.5, vol=1e-4, product="BTC-USD", label="spikes/1", **more):
    known = {
        "product": product, "second": second, "event_time_ns": (second + 1) * NS,
        "receive_time_ns": None,
        "verdict": Verdict.GAP if p is None else Verdict.PREDICTED, "probability": p,
        "alarm": p is not None and p >= 0.6, "threshold": 0.6, "tau": 1e-4, "horizon_s": 60,
        "value_now": vol, "mid": 1.0, "model": label,
    }  # fmt: skip
    return Prediction(**{**known, **more})


def storm(label, sharpness, tau=1e-4, n=4000):
    """Predictions that know, more or less, the spikes of a made-up volatility."""
    rng = np.random.default_rng(7)
    vol = 1e-4 * np.exp(0.5 * np.sin(np.arange(n + 60) / 150) + 0.02 * rng.standard_normal(n + 60))
    p = 1 / (1 + np.exp(-sharpness * np.log(vol[60:] / 1e-4)))
    return [prediction(s, p=float(p[s]), vol=float(vol[s]), label=label, tau=tau) for s in range(n)]
