"""The level forecasts of all candidates on the pooled test rows of all folds."""

from collections.abc import Collection, Mapping, Sequence

from barograph.arrays import Bool, Float64
from barograph.evaluation import scores
from barograph.evaluation.conformal import LevelRule
from barograph.evaluation.diebold_mariano import DieboldMariano, diebold_mariano
from barograph.evaluation.gate import LevelForecast
from barograph.evaluation.scores import Score
from barograph.evaluation.splits import Rows
from barograph.registry.model import LevelFacts
from barograph.training import levels
from barograph.training.levels import Levels, LevelScores
from barograph.training.tested import Tested
from barograph.training.walkforward import CHOSEN, Walk
from barograph.types import Interval


class PooledLevels:
    """Replays the intervals of every candidate that has forecasts, fold by fold.

    rows: (n,) the tested rows of all folds; outcome: (n,) their values, above zero; of_folds: the
    results of each candidate that forecasts in every fold. `names` are those candidates, `facts`
    what the intervals of the last fold's choice know after its tested rows, None if it forecasts
    no value.
    """

    def __init__(
        self,
        walked: Walk,
        rule: LevelRule,
        rows: Rows,
        outcome: Float64,
        of_folds: Mapping[str, Sequence[Tested]],
    ) -> None:
        self._walked, self._rule, self._rows, self._outcome = walked, rule, rows, outcome
        self._replayed: dict[tuple[int, int], tuple[Levels, LevelFacts]] = {}
        self._of = {
            name: levels.together([self._fold(*numbered)[0] for numbered in enumerate(folds)])
            for name, folds in of_folds.items()
        }
        last = len(walked.questions) - 1
        self.facts: LevelFacts | None = None
        if CHOSEN in of_folds:
            self.facts = self._fold(last, of_folds[CHOSEN][last])[1]

    @property
    def names(self) -> Collection[str]:
        """The candidates that forecast the value."""
        return self._of.keys()

    def measures(self) -> list[tuple[str, Score, Score, Float64]]:
        """(candidate, score, score, what it is called with beside the outcomes) of each score."""
        return [
            (name, score, score, forecast)
            for name, of in self._of.items()
            for score, forecast in of.measures(self._outcome, self._rule.tail)
        ]

    def scores(self, name: str, of: Mapping[str, Interval]) -> LevelScores:
        """A candidate's scores, from their intervals `of` by name."""
        second = self._walked.table.order[self._rows]
        return self._of[name].scores(self._rule, self._outcome, second, of)

    def gated(self, name: str, where: Bool) -> LevelForecast | None:
        """A candidate's forecasts of the rows at `where`, in the form for the gate."""
        return self._of[name].gated(self._outcome, where) if name in self._of else None

    def diebold_mariano(self, name: str, baseline: str) -> DieboldMariano:
        """Test the difference of QLIKE, with as many lags as a bootstrap block has."""
        ours, theirs = (
            scores.qlike_loss(self._outcome, self._of[each].root_mean_square)
            for each in (name, baseline)
        )
        order = self._walked.table.order[self._rows]
        return diebold_mariano(order, ours - theirs, self._walked.case.block - 1)

    def _fold(self, number: int, tested: Tested) -> tuple[Levels, LevelFacts]:
        place = (number, id(tested))  # a fold's choice is one of its candidates
        if place not in self._replayed:
            walked, fold = self._walked, self._walked.questions[number].fold
            if tested.held_out is None or tested.volatility is None:
                raise ValueError(tested.fitted.name)
            self._replayed[place] = levels.of_fold(
                self._rule,
                walked.case.horizon_s,
                walked.table,
                (fold.held_out, tested.held_out),
                (fold.test, tested.volatility),
            )
        return self._replayed[place]
