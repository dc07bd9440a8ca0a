"""`barograph.evaluate`: the protocol of `barograph train` on frames, without a home."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from barograph.cases.case import Case, Dataset, Own, adapted
from barograph.errors import BadInputError
from barograph.evaluation import labels
from barograph.evaluation.gate import Decision
from barograph.files.disk import write_whole
from barograph.learning.candidates import Candidate
from barograph.library import arguments
from barograph.library.candidates import is_default
from barograph.library.evaluated_rows import given_candidates, given_folds, outcome_of
from barograph.library.frames import Features, refuse_unless_features
from barograph.library.immutable import Immutable
from barograph.library.models import Model
from barograph.registry.memory import MemoryStore
from barograph.registry.registry import Registry
from barograph.training import card, train
from barograph.training.card import Card
from barograph.training.no_signal_control import Control
from barograph.training.walkforward import Training
from barograph.types import Interval

if TYPE_CHECKING:
    import os

_VERSION = 1


class Evaluation(Immutable):
    """What an honest evaluation found; immutable. Made by `evaluate`.

    `card` has all of it, as a model card.

    `model` is the model that `barograph train` would have registered.

    >>> r = bg.evaluate(X, y, candidates=bg.candidates.default()[:1], folds=2, resamples=100)
    >>> r.base_rate.low <= r.base_rate.estimate <= r.base_rate.high
    True
    >>> r.gate.promote, r.gate.reasons[0][:44]
    (False, 'independent positives must be at least 20: 5')
    >>> r.report("card.html").name
    'card.html'
    """

    def __init__(self, card: Card, model: Model) -> None:
        self.card: Card
        self.model: Model
        vars(self).update(card=card, model=model)

    @cached_property
    def scores(self) -> pl.DataFrame:
        """A row for each candidate, and for `chosen`, what the folds chose, on all tested rows.

        `candidate`; `eligible`, whether it could be chosen; then each score with its interval, as
        NAME, NAME_low, NAME_high: `pr_auc` (beside the base rate, see `base_rate`), `roc_auc`,
        `brier`, `log_loss`, `calibration_error`, and of a forecast of volatility `log_r2` and
        `qlike`, null without one. `log_loss` is in nats, the others have no unit. Intervals are
        block bootstrap ones of the same resamples.
        """
        rows = [
            {"candidate": row.name, "eligible": row.eligible}
            | {
                column: value
                for name in _SCORES
                for column, value in _columns(name, getattr(row, name)).items()
            }
            | dict(row.acting)
            for row in self.card.training.tested.scores
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def differences(self, minus: str) -> pl.DataFrame:
        """Each candidate minus a baseline, on the same resamples: paired block bootstrap.

        `candidate`, then `pr_auc`, `brier` and `log_loss`, each with _low and _high; an interval
        that holds 0 tells nothing apart. `pr_auc` takes of each side the better of two rankings, by
        probability or by forecast / tau, as the gate does: it is not always the difference of what
        `scores` has. Raises BadInputError for what is no baseline to beat.
        """
        known = self.card.training.tested.differences
        rows = [
            {"candidate": one.name}
            | {
                column: value
                for name in ("pr_auc", "brier", "log_loss")
                for column, value in _columns(name, getattr(one, name)).items()
            }
            for one in known
            if one.minus == minus
        ]
        if not rows:
            baselines = ", ".join(dict.fromkeys(one.minus for one in known))
            raise BadInputError(minus, "it is no baseline here", f"Name one of {baselines}")
        return pl.DataFrame(rows)

    @property
    def base_rate(self) -> Interval:
        """The share of spikes in the tested rows: the PR-AUC of a forecast without skill."""
        return self.card.training.tested.base_rate

    @property
    def gate(self) -> Decision:
        """Whether the gate of `train` would promote, and the sentences of the rules that say so."""
        return self.card.training.gate.decision

    @property
    def control(self) -> Control | None:
        """The same training on labels without a signal; None where it was not asked for."""
        return self.card.training.control

    @property
    def chosen(self) -> str:
        """The candidate that the whole history chooses."""
        return self.card.training.model.chosen

    @property
    def left_out(self) -> dict[str, str]:
        """The candidates that could not be tested, each with the reason."""
        return self.card.training.tested.candidates_left_out

    def report(self, path: "str | os.PathLike[str]") -> Path:
        """Write the model card as one HTML page, and return its path.

        Raises BadInputError for what is no path of a file, and where it cannot be written.
        """
        from barograph.app.reports.card_page import page  # noqa: PLC0415 - draws with matplotlib

        place = arguments.file_path("path", path, "Give the path of a file, such as 'card.html'")
        write_whole(place, page(self.card).encode())
        return place

    def __repr__(self) -> str:
        tested = self.card.training.tested
        return (
            f"Evaluation of {self.card.training.case}: {tested.rows:,} tested rows of "
            f"{len(tested.folds)} folds ({tested.split}), {tested.episodes:,} episodes\n"
            f"{self.scores.select('candidate', 'pr_auc', 'pr_auc_low', 'pr_auc_high', 'log_loss')}"
        )


_SCORES = ("pr_auc", "roc_auc", "brier", "log_loss", "calibration_error", "log_r2", "qlike")


def _columns(name: str, of: Interval | None) -> dict[str, float | None]:
    values = (None,) * 3 if of is None else (of.estimate, of.low, of.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def evaluate(  # noqa: PLR0913 - rows, models, and how they are compared
    X: Features,
    y: pl.DataFrame,
    candidates: Sequence[Candidate] | None = None,
    cv: Any = None,  # noqa: ANN401 - any splitter of scikit-learn's kind
    *,
    case: str | Case | None = None,
    quantile: float = labels.QUANTILE,
    folds: int = 4,
    control: bool = False,
    resamples: int = 1000,
    seed: int = 1,
) -> Evaluation:
    """Train and test candidates as `barograph train` does: the same code, without a home.

    In each fold all is derived from its training rows alone: tau of each product, models, their
    calibration on rows held out in turn, thresholds, and the choice. Scores are of the test rows of
    all folds together, with block bootstrap intervals; the gate has no champion to beat, only the
    baselines, which are always tested.

    X: features. y: of `barograph.label`, or some rows of it; of its columns only
    `future_realized_vol` is used, since its tau knows the tested rows. candidates: those of
    `barograph.candidates`; None for all of the case. cv: a splitter such as `PurgedWalkForward`,
    whose `split(X, y, groups)` gets the seconds of the rows as groups; training rows nearer to a
    tested one than horizon and longest window are left out whatever it says. None for the case's
    own: `folds` folds forward in time, or sessions left out in turn where there are three or more.
    case: that of X where None. quantile: which one of the training outcomes is tau. control: test
    on labels without a signal too, which takes as long again. resamples: of the bootstrap. The same
    arguments give the same result.

    Raises BadInputError for an argument that is none, for a case of other rows, a `y` of another
    horizon, quantile or other rows, for defaults of another case, a feature that there is not and
    as candidates do, TooLittleDataError where the rows are too few for the folds.

    >>> har = [one for one in bg.candidates.default() if one.name == "har"]
    >>> r = bg.evaluate(X, y, candidates=har, folds=2, resamples=100)
    >>> r.scores["candidate"].to_list()
    ['persistence', 'ewma', 'har', 'garch', 'climatology', 'chosen']
    """
    refuse_unless_features(X)
    asked = X.case if case is None else _of_rows(X, arguments.a_case(case))
    given = given_candidates(asked, candidates)
    cv = arguments.splitter("cv", cv)
    quantile = arguments.share("quantile", quantile)
    how = Training(
        folds=arguments.whole_number("folds", folds, least=1),
        control=arguments.flag("control", control),
        resamples=arguments.whole_number("resamples", resamples, least=1),
        seed=arguments.seed_number("seed", seed),
        quantile=quantile,
        candidates=tuple(one.name for one in given or ()),
        promote=False,
    )
    outcome = outcome_of(X, y, asked, quantile)
    own = () if given is None else _own(asked, given)
    adapted_case = adapted(asked, quantile=quantile, own=own)
    if cv is not None:
        adapted_case = replace(
            adapted_case, split=lambda table, _folds, _kind: given_folds(cv, table, asked.horizon_s)
        )
    rows = X.rows(outcome)
    registry = Registry(Path(), store=MemoryStore())
    train.train(adapted_case, Dataset(rows, _hash(rows)), registry, how, clock_ns=time.time_ns)
    content = registry.attached(asked.name, _VERSION, card.FILE)
    model = registry.load(asked.name, _VERSION, asked.feature_set)
    return Evaluation(card.decoded(content, model.label), Model(model, asked))


def _own(case: Case, candidates: Sequence[Candidate]) -> list[Candidate | Own]:
    """The given candidates beside the baselines; defaults made of the features that there are."""
    defaults = {one.name for one in candidates if is_default(one, case)} - {*case.baselines}
    of_case = case.candidates

    def kept(features: tuple[str, ...]) -> list[Candidate]:
        return [one for one in of_case(features) if one.name in defaults]

    return [kept, *(one for one in candidates if not is_default(one, case))]


def _of_rows(X: Features, case: Case) -> Case:
    """The case. Raises BadInputError where it forecasts other rows than those of X."""
    if case.feature_set != X.case.feature_set:
        raise BadInputError(
            f"case {case.name}",
            f"X are the rows of case {X.case.name}, and it forecasts others",
            f"Name a case on ticks, such as {X.case.name}, or train it in a home "
            f"(`barograph train --case {case.name}`)",
        )
    return case


def _hash(rows: pl.DataFrame) -> str:
    """SHA-256 of the rows' values, by column."""
    digest = hashlib.sha256(msgspec.json.encode(rows.columns))
    for column in rows.get_columns():
        plain = column.to_list() if column.dtype == pl.String else column.fill_null(np.nan)
        digest.update(
            msgspec.json.encode(plain) if isinstance(plain, list) else plain.to_numpy().tobytes()
        )
    return digest.hexdigest()
