"""Candidate models: their features, training and calibration.

All functions are pure: no files, no clock, no unseeded random numbers. The learners are in `linear`
and `boosting`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from typing import NamedTuple

import numpy as np

from barograph.arrays import Bool, Float64
from barograph.errors import BadInputError
from barograph.learning import boosting, linear
from barograph.learning.boosting import Boosting, BoostingStages, has_xgboost
from barograph.learning.calibration import platt
from barograph.learning.candidate_names import feature_names, refuse_unusable
from barograph.learning.combination import combined
from barograph.learning.examples import Examples, Learner
from barograph.learning.fitted import AsGiven, Fitted, View, sigmoid
from barograph.learning.relative import Base, MeanRatio, Ratio, Relative
from barograph.registry.model import TAU

__all__ = ["Boosting", "BoostingStages", "Candidate", "Examples", "Proof", "Slices", "has_xgboost"]


@dataclass(frozen=True, slots=True)
class Slices:
    """The examples of one fit: all training examples, and parts of them held out in turn.

    inner: (examples to fit on, purged of the part; held-out part) for each part (see `splits`).
    """

    train: Examples
    inner: tuple[tuple[Examples, Examples], ...]


class Proof(NamedTuple):
    """A trained model, and what models without each held-out part forecast for that part.

    parts: those models, uncalibrated; probability: (n,) calibrated, of all held-out parts,
    concatenated; median: (n,) their forecasts, None without one.
    """

    fitted: Fitted
    parts: tuple[Fitted, ...]
    probability: Float64
    median: Float64 | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to train a model: name, features in input order, and learner.

    It is fitted on rows (n, f) float32 of its features, volatilities in 1/√s, tau last or where the
    features have it, and gives a probability (n,), and a volatility in 1/√s where it forecasts one.

    `repeats` is the number of rows that carry the information of one independent row: labels with a
    horizon of h seconds overlap h-fold at one-second steps, so priors are weighed against
    rows / repeats. `parameters` are the hyperparameters of a search; `otherwise` returns the
    learner for other ones. A combination has `members`, and `join` makes it of what was fitted
    of them. `fitted_until_ns` is of one that comes trained: folds that test rows of before it leave
    it out. Raises BadInputError for a name, features or `repeats` that are none.

    >>> candidate = bg.candidates.logistic(("spread_bps", "tick_intensity_60s"))
    >>> candidate.name, candidate.features, candidate.repeats
    ('logistic', ('spread_bps', 'tick_intensity_60s'), 60)
    """

    name: str
    features: tuple[str, ...]
    grow: Learner
    repeats: float = 60
    parameters: Mapping[str, float] = field(default_factory=dict)
    otherwise: Callable[[Boosting], Learner] | None = None
    members: tuple["Candidate", ...] = ()
    join: Callable[[Sequence[Fitted]], Fitted] | None = None
    fitted_until_ns: int | None = None

    def __post_init__(self) -> None:
        refuse_unusable(self.name, self.repeats)
        object.__setattr__(self, "features", feature_names(self.name, self.features))

    def varied(self, how: Boosting) -> "Candidate":
        """The candidate with other hyperparameters. Raises BadInputError if it is not boosted."""
        if self.otherwise is None:
            raise BadInputError(self.name, "it is not boosted", "Search over boosted candidates")
        return replace(self, grow=self.otherwise(how), parameters=how.parameters())

    def fit(self, slices: Slices, seed: int) -> Fitted:
        """Train; the same slices and seed give a bit-identical model.

        Raises BadInputError if the number of columns is not that of `features`, TooLittleDataError
        if the examples are too few or of one class.
        """
        return self.prove(slices, seed).fitted

    def prove(self, slices: Slices, seed: int, proven: Mapping[str, Proof] | None = None) -> Proof:
        """`fit`, and forecasts of all held-out parts.

        proven: proofs of the same rows and seed by name; members that have one are not fitted
        again.
        1.  For each part, fit a model on its remaining examples and predict the held-out part.
        2.  Fit the calibration (slope and bias, with a prior) to these predictions.
        3.  Fit the final model on all examples and apply that calibration.
        """
        for part in (slices.train, *(side for pair in slices.inner for side in pair)):
            if part.x.shape[1] != len(self.features):
                raise BadInputError(
                    f"rows for {self.name}",
                    f"they have {part.x.shape[1]} columns, the model uses {len(self.features)}",
                    "Select the candidate's features in their order",
                )
        proofs = [(proven or {}).get(member.name) for member in self.members]
        known = [proof for proof in proofs if proof is not None]
        if self.join is not None and len(known) == len(self.members):
            parts = [
                self.join([proof.parts[number] for proof in known])
                for number in range(len(slices.inner))
            ]
            grown = self.join([proof.fitted for proof in known])
        else:
            *parts, grown = self._grown([*(rest for rest, _ in slices.inner), slices.train], seed)
        held_out = [held.x for _, held in slices.inner]
        out = [part.both(x) for part, x in zip(parts, held_out, strict=True)]
        z = np.concatenate([each.z for each in out])
        y = np.concatenate([held.y for _, held in slices.inner])
        weight = np.concatenate([held.weight for _, held in slices.inner])
        slope, bias = platt(z, y, weight / self.repeats)
        fitted = replace(grown, name=self.name, features=self.features, slope=slope, bias=bias)
        named = tuple(replace(part, name=self.name, features=self.features) for part in parts)
        known_medians = [each.volatility for each in out if each.volatility is not None]
        return Proof(
            fitted=fitted,
            parts=named,
            probability=sigmoid(slope * z + bias),
            median=np.concatenate(known_medians) if len(known_medians) == len(out) else None,
        )

    def refit(self, train: Examples, z: Float64, y: Bool, weight: Float64, seed: int) -> Fitted:
        """Fit on `train`, calibrated on what models of the same kind said of rows not theirs.

        z: (n,) uncalibrated log-odds of such rows; y, weight: (n,) their answers and weights.
        """
        slope, bias = platt(z, y, weight / self.repeats)
        grown = self.grow(train, seed)
        return replace(grown, name=self.name, features=self.features, slope=slope, bias=bias)

    def _grown(self, of: Sequence[Examples], seed: int) -> list[Fitted]:
        """A model of each of the examples; trees are grown on all cores.

        Each is grown by one thread, so that their number changes no bit. Other learners hold the
        interpreter's lock.
        """
        if self.otherwise is None:
            return [self.grow(each, seed) for each in of]
        with ThreadPoolExecutor(min(len(of), os.cpu_count() or 1)) as pool:
            return list(pool.map(self.grow, of, repeat(seed)))


def persistence(
    vol: str | Base = "realized_vol_60s", *, repeats: float = 60, name: str = "persistence"
) -> Candidate:
    """Persistence: an increasing logistic curve of the current volatility relative to tau.

    It ranks by that ratio, and its forecast is the current volatility. The slope has a unit normal
    prior. Of several volatilities it is the geometric mean: their forecasts combined with equal
    weights, on which nothing is fitted but the curve. Source: Timmermann (2006), Forecast
    Combinations, Handbook of Economic Forecasting 1.

    >>> bg.candidates.persistence("observed_vol_60s").features
    ('observed_vol_60s', 'tau')
    """
    vols = (vol,) if isinstance(vol, str) else vol
    view = MeanRatio(tuple(range(len(vols))), len(vols))
    return Candidate(name, (*vols, TAU), linear.rising(view, repeats=repeats), repeats)


def har(vols: tuple[str, ...], *, repeats: float = 60) -> Candidate:
    """Least-squares regression of future log volatility on log volatilities of several windows.

    vols: names of features in 1/√s, of short and long windows.
    Source: Corsi (2009), J. Financial Econometrics 7(2): heterogeneous autoregression.

    >>> bg.candidates.har(("realized_vol_60s", "realized_vol_300s")).features
    ('realized_vol_60s', 'realized_vol_300s', 'tau')
    """
    view = Relative.of([Ratio(vol) for vol in feature_names("har", vols)], TAU)
    return Candidate("har", view.features, linear.least_squares(view, repeats=repeats), repeats)


def least_squares(
    ratios: Sequence[Ratio],
    base: Base = (),
    *,
    name: str,
    repeats: float = 60,
    prior_rows: float = 1,
) -> Candidate:
    """Least-squares regression of future log volatility, relative to `base`, on any columns.

    Each weight on a standardised input, clipped at ±10 deviations, has a normal prior, so that
    columns that nearly repeat each other do no harm: it is worth `prior_rows` rows. A ratio with a
    floor of 0 is a column as it is given.

    >>> ratios = [bg.candidates.Ratio("ewma_vol_60s"), bg.candidates.Ratio("spread_bps", floor=0)]
    >>> bg.candidates.least_squares(ratios, name="linear").features
    ('ewma_vol_60s', 'spread_bps', 'tau')
    """
    view = Relative.of(ratios, *base, TAU)
    return Candidate(
        name,
        view.features,
        linear.ridge(view, base, repeats=repeats, prior_rows=prior_rows),
        repeats,
    )


def combination(
    members: Sequence[Candidate], *, name: str = "combination", repeats: float = 60
) -> Candidate:
    """The mean of the log forecasts of several regressions, as one graph.

    >>> short, long = (bg.candidates.har((f"observed_vol_{s}s",)) for s in (60, 300))
    >>> bg.candidates.combination((short, long)).features
    ('observed_vol_60s', 'tau', 'observed_vol_300s')
    """
    features = tuple(dict.fromkeys(column for one in members for column in one.features))
    join = partial(combined, features)

    def grow(train: Examples, seed: int) -> Fitted:
        fitted = []
        for one in members:
            own = train.only([features.index(column) for column in one.features])
            fitted.append(replace(one.grow(own, seed), name=one.name, features=one.features))
        return join(fitted)

    return Candidate(name, features, grow, repeats, members=tuple(members), join=join)


def climatology(hour: tuple[str, ...], *, repeats: float = 60) -> Candidate:
    """Log-logistic regression of future volatility on the hour of the day alone.

    >>> bg.candidates.climatology(("hour_sin", "hour_cos")).features
    ('hour_sin', 'hour_cos', 'tau')
    """
    view = Relative.of([Ratio(one, floor=0.0) for one in feature_names("climatology", hour)], TAU)
    grow = linear.log_logistic(view, (), repeats=repeats)
    return Candidate("climatology", view.features, grow, repeats)


def relative(
    ratios: tuple[Ratio, ...],
    base: Base,
    spread: tuple[Ratio, ...] = (),
    *,
    repeats: float = 60,
    name: str = "relative",
) -> Candidate:
    """Log-logistic regression of future volatility, relative to `base`, on relative features.

    spread: the ratios that predict the scale of the error. Absolute features do not transfer
    between regimes, so there are none. Source: Bennett (1983), J. Royal Statistical Society C
    32(2).

    >>> calm = bg.candidates.Ratio("observed_vol_10s", "observed_vol_300s")
    >>> bg.candidates.relative((calm,), ("observed_vol_60s",)).features
    ('observed_vol_10s', 'observed_vol_300s', 'observed_vol_60s', 'tau')
    """
    view = Relative.of(ratios, *base, TAU)
    places = tuple(ratios.index(ratio) for ratio in spread)
    grow = linear.log_logistic(view, places, base=base, repeats=repeats)
    return Candidate(name, view.features, grow, repeats)


def logistic(
    features: tuple[str, ...] | Relative,
    *,
    repeats: float = 60,
    view: View | None = None,
    name: str = "logistic",
) -> Candidate:
    """Logistic regression with an L2 penalty on standardised inputs, clipped at ±10 deviations.

    Inputs that are constant in training get no weight.

    >>> bg.candidates.logistic(("observed_vol_60s", "spread_bps"), name="two").name
    'two'
    """
    features, view = _seen(features, view)
    return Candidate(name, features, linear.logistic(view, repeats), repeats)


def lightgbm(
    features: tuple[str, ...] | Relative,
    how: Boosting | None = None,
    *,
    repeats: float = 60,
    view: View | None = None,
) -> Candidate:
    """Gradient-boosted classification trees by LightGBM.

    Sources: Ke et al. (2017), NeurIPS 30; Platt (1999), Advances in Large Margin Classifiers.

    >>> how = bg.candidates.Boosting(rounds=50, leaves=8)
    >>> bg.candidates.lightgbm(("observed_vol_60s", "spread_bps"), how).parameters["leaves"]
    8
    """
    features, view = _seen(features, view)
    return _boosted("lightgbm", features, partial(boosting.lightgbm, view), how, repeats)


def lightgbm_regression(
    view: Relative,
    base: Base,
    how: Boosting | None = None,
    *,
    repeats: float = 60,
    varies: bool = True,
) -> Candidate:
    """Gradient-boosted regression trees for the log of future volatility over `base`.

    varies: whether the scale of the error depends on the inputs or is constant.

    >>> view = bg.candidates.Relative.of([bg.candidates.Ratio("spread_bps")], "ewma_vol_60s", "tau")
    >>> bg.candidates.lightgbm_regression(view, ("ewma_vol_60s",)).features
    ('spread_bps', 'ewma_vol_60s', 'tau')
    """
    learner = partial(boosting.lightgbm_regression, view, base, repeats, varies)
    return _boosted("lightgbm_regression", view.features, learner, how, repeats)


def xgboost(view: Relative, how: Boosting | None = None, *, repeats: float = 60) -> Candidate:
    """Gradient-boosted classification trees by XGBoost. Source: Chen, Guestrin (2016), KDD.

    >>> view = bg.candidates.Relative.of([bg.candidates.Ratio("spread_bps")])
    >>> bg.candidates.xgboost(view).features
    ('spread_bps',)
    """
    return _boosted("xgboost", view.features, partial(boosting.xgboost, view), how, repeats)


def xgboost_regression(
    view: Relative,
    base: Base,
    how: Boosting | None = None,
    *,
    repeats: float = 60,
    varies: bool = True,
) -> Candidate:
    """Gradient-boosted regression trees by XGBoost, for the target of `lightgbm_regression`.

    >>> view = bg.candidates.Relative.of([bg.candidates.Ratio("spread_bps")], "ewma_vol_60s", "tau")
    >>> bg.candidates.xgboost_regression(view, ("ewma_vol_60s",)).name
    'xgboost_regression'
    """
    learner = partial(boosting.xgboost_regression, view, base, repeats, varies)
    return _boosted("xgboost_regression", view.features, learner, how, repeats)


def gradient_boosting(
    features: tuple[str, ...],
    how: BoostingStages | None = None,
    *,
    repeats: float = 60,
    view: View | None = None,
) -> Candidate:
    """Stochastic gradient boosting by scikit-learn.

    Source: Friedman (2002), Computational Statistics & Data Analysis 38(4).

    >>> how = bg.candidates.BoostingStages(rounds=80)
    >>> bg.candidates.gradient_boosting(("observed_vol_60s",), how).name
    'gradient_boosting'
    """
    grow = boosting.gradient_boosting(view or AsGiven(), how or BoostingStages())
    return Candidate("gradient_boosting", features, grow, repeats)


def _boosted(
    name: str,
    features: tuple[str, ...],
    learner: Callable[[Boosting], Learner],
    how: Boosting | None,
    repeats: float,
) -> Candidate:
    how = how or Boosting()
    return Candidate(name, features, learner(how), repeats, how.parameters(), learner)


def _seen(features: tuple[str, ...] | Relative, view: View | None) -> tuple[tuple[str, ...], View]:
    """The feature names, and the view of them; the default view is `AsGiven`."""
    if isinstance(features, Relative):
        return features.features, features
    return features, view or AsGiven()
