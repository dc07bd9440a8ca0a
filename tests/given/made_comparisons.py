"""A comparison that nothing was trained for, whose every number a test knows."""

import msgspec
import numpy as np

from barograph.evaluation.scores import ReliabilityBin
from barograph.training.card import Curve
from barograph.training.comparison import Change, Comparison, Looks, ScorePair
from barograph.types import Interval


def interval(estimate, low, high):
    return Interval(estimate=estimate, low=low, high=high, level=0.95, resamples=100, undefined=0)


def pair(name, difference, *, higher_is_better=False):
    return ScorePair(
        name=name, higher_is_better=higher_is_better, champion=interval(0.3, 0.2, 0.4),
        candidate=interval(0.3 + difference[0], 0.2, 0.5), difference=interval(*difference),
    )  # fmt: skip


LOOKS = Looks(
    curve=Curve(recall=[0.1, 1.0], precision=[0.9, 0.2]),
    bins=[ReliabilityBin(rows=50, mean_probability=0.2, frequency=0.25)],
)
MADE = Comparison(
    case="storms",
    champion="storms/1",
    candidate="storms/2",
    verdict="not worse",
    reasons=("log loss must not be worse than champion's: -0.01",),
    rows=1234,
    events=31,
    blocks=42,
    start_ns=1_700_000_000 * 10**9,
    end_ns=1_700_086_400 * 10**9,
    base_rate=0.12,
    scores=[
        pair("log_loss", (-0.02, -0.04, 0.01)),
        pair("pr_auc", (0.1, 0.05, 0.2), higher_is_better=True),
        pair("brier", (0.01, 0.005, 0.02)),
        pair("roc_auc", (np.nan, np.nan, np.nan), higher_is_better=True),
    ],
    changes=[Change(of="code", name="hash", champion="0ld", candidate="c0de")],
    looks={"champion": LOOKS, "candidate": LOOKS},
)


def changed(**fields):
    return msgspec.structs.replace(MADE, **fields)
