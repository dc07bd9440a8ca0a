"""Record cases: independent rows without time, each with a key, features and an outcome.

Without time, folds are cut by lot: a hash of the record's key. So records of one key stay together,
file order does not matter, no seed can be picked for a favourable split, and a key that the
champion was not fitted on is recognised in every later dataset.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import polars as pl

from barograph.arrays import Bool, Float64
from barograph.cases.case import Case, SplitKind, Table, Target
from barograph.cases.contract import Stream
from barograph.errors import BadInputError
from barograph.evaluation import splits
from barograph.evaluation.splits import Fold, Rows
from barograph.learning.candidates import Candidate
from barograph.learning.encoding import Encoding
from barograph.registry.model import ModelFacts

_UNKNOWN = "outcome unknown"
_LOT_BITS = 53  # exact in every JSON reader


def lot(key: str) -> int:
    """The lot of a key: a stable hash from 0 to 2⁵³ − 1."""
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _LOT_BITS)


def tabular_case(
    name: str,
    stream: Stream,
    *,
    candidates: Callable[[tuple[str, ...], Encoding], tuple[Candidate, ...]],
    reference: str,
) -> Case:
    """Build the case that forecasts a contract's outcome from each record alone.

    candidates: (features, encoding) → all candidates. reference: the name of the one that every
    other must beat. The dataset has the contract's key, its features as numbers
    (`Contract.numbers`) and its outcome (1, 0, or null if unknown). A row's order is its key's lot;
    all rows share one key and session. The alert threshold is that of the best F1 on held-out rows,
    which weighs misses and false alarms alike.
    """
    contract = stream.contract
    encoding = Encoding.of(contract.categories)

    def table(frame: pl.DataFrame) -> Table:
        known = frame.drop_nulls(contract.outcome)
        order = np.array([lot(key) for key in known[contract.key].to_list()], np.int64)
        return Table(
            features=contract.features,
            x=np.ascontiguousarray(known.select(contract.features).to_numpy(), np.float32),
            outcome=known[contract.outcome].to_numpy().astype(np.float64),
            keys=(contract.key,),
            key=np.zeros_like(order),
            order=order,
            session=np.zeros_like(order),
            regime=np.zeros_like(order),
            left_out={},
            unused={_UNKNOWN: unknown} if (unknown := len(frame) - len(known)) else {},
        )

    return Case(
        name=name,
        feature_set=contract.feature_set,
        horizon_s=0,
        baselines=(reference,),
        to_beat=(reference,),
        block=1,
        stride=1,
        table=table,
        split=_split,
        target=lambda table, _train: Target(table.outcome, {}, {}),
        candidates=lambda features: candidates(features, encoding),
        threshold=lambda _table, _rows, y, probability: best_f1(y, probability),
        threshold_rule="the best F1",
        judge=judge,
        events=lambda _table, _rows, y: int(y.sum()),
        span_ns=lambda _table, _rows: (0, 0),
        unseen=unseen,
        stream=stream,
    )


def _split(table: Table, folds: int, protocol: SplitKind) -> tuple[SplitKind, list[Fold]]:
    if protocol not in ("auto", "stratified"):
        raise BadInputError(f"split {protocol}", "these records have no time", "Leave out --split")
    return "stratified", splits.stratified(table.outcome, table.order, folds)


def best_f1(y: Float64, probability: Float64) -> float:
    """The threshold with the highest F1 on these rows; of ties, the highest threshold.

    F1 = 2 · hits / (acted + positives), the harmonic mean of recall and precision.
    """
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    f1 = 2 * np.cumsum(y[order]) / (np.arange(1, len(y) + 1) + y.sum())
    whole = np.append(ranked[1:] != ranked[:-1], True)  # ties act together
    return float(ranked[np.argmax(np.where(whole, f1, -1.0))])


def judge(_table: Table, _rows: Rows, y: Float64, acted: Bool) -> dict[str, float]:
    """Recall, precision, and the share of records acted on; NaN if undefined."""
    hits = float(y[acted].sum())
    return {
        "recall": hits / float(y.sum()) if y.any() else np.nan,
        "precision": hits / float(acted.sum()) if acted.any() else np.nan,
        "flagged_share": float(acted.mean()),
    }


def unseen(table: Table, rows: Rows, facts: ModelFacts) -> Bool:
    """Mask of rows whose lots lie above all that the model was fitted on, in any dataset.

    These are the keys of its last test fold, and new keys with lots in that range.
    """
    if facts.last_order is None:
        return np.zeros(len(rows), np.bool_)
    above: Bool = table.order[rows] > facts.last_order
    return above
