"""A registered model for notebooks: probabilities of rows, NaN where a feature is missing."""

import numpy as np

from barograph.arrays import Float64
from barograph.cases.case import Case
from barograph.library.model_inputs import inputs_of
from barograph.registry import model as registered


class Model:
    """A version of the registry, verified by its hashes. Made by `Home.model`. Not thread-safe.

    `label` is "case/version"; `facts` are what stands beside its graph: features, tau by product,
    threshold, scores, what it was trained on. `case` is the case that it forecasts.

    >>> with bg.open("H") as home:
    ...     model = home.model("champion")
    >>> p = model.predict_proba(X)
    >>> p.shape == (len(X), 2)
    True
    >>> bool(np.isnan(p[0, 1]))  # its windows had not filled
    True
    """

    def __init__(self, model: registered.Model, case: Case) -> None:
        self.label, self.facts, self.case = model.label, model.facts, case
        self._onnx = model.onnx

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that it needs, in the order of its input; `tau` is the model's own."""
        return self.facts.features

    def predict_proba(self, X: object) -> Float64:
        """(n, 2) float64: the probability of no spike, and that of a spike, of each row.

        X: what `barograph.features` returns, or any frame with the model's features and `product`.
        Of a case of records, such as churn: a frame of records with all fields of its contract, as
        a file of them has; the probability is that of its outcome.
        NaN where a feature is null or NaN, where the model was not trained on the `product`, where
        a record breaks the contract (with a warning), or where the graph gives no number from 0 to
        1: nothing is filled in. Rows are scored as the live scorer does, one at a time, to the same
        bits.
        Raises BadInputError for a frame without a column that the model needs, for one that is no
        number, and where no record keeps the contract.
        """
        x = inputs_of(self.label, self.facts, self.case, X)
        probability = np.full(len(x), np.nan)
        for row in np.flatnonzero(np.isfinite(x).all(axis=1)).tolist():
            value = float(self._onnx.predict(x[row : row + 1])[0])
            probability[row] = value if 0.0 <= value <= 1.0 else np.nan
        return np.column_stack((1.0 - probability, probability))

    def predict(self, X: object) -> Float64:
        """(n,) float64: 1 where the probability reaches the model's threshold, else 0; or NaN."""
        probability = self.predict_proba(X)[:, 1]
        alarm = (probability >= self.facts.threshold).astype(np.float64)
        return np.where(np.isnan(probability), np.nan, alarm)

    def __repr__(self) -> str:
        return f"Model {self.label} ({self.facts.candidate}, {len(self.features)} inputs)"
