"""What a training keeps of its rows for drift; the whole of it is in the stories of trainings."""

import dataclasses

import numpy as np
import polars as pl
import pytest

from barograph.registry.model import ModelFacts
from barograph.training.drift_reference import reference_of, rows_of
from barograph.training.pooled import Pooled
from barograph.training.registered import registered
from barograph.training.walkforward import Training, walk
from markets import market, spikes_of
from registered_models import facts_of

HOW = Training(folds=2, resamples=20)


def facts_of_fit(case, table, fit) -> ModelFacts:
    start_ns, end_ns = case.span_ns(table, fit.rows)
    return facts_of(b"", tau=fit.target.tau, train_start_ns=start_ns, train_end_ns=end_ns)


def test_rows_are_by_key_with_nan_for_what_is_not_known():
    frame = pl.DataFrame(
        {"product": ["a", "b", "a"], "second": [1, 1, 2], "x": [1.0, None, 3.0], "y": [1, 2, None]}
    )
    rows = rows_of(frame, ("y", "x"))
    assert list(rows) == ["a", "b"]
    assert rows["a"].second.tolist() == [1, 2]
    np.testing.assert_allclose(rows["a"].values, [[1.0, 1.0], [np.nan, 3.0]])
    np.testing.assert_allclose(rows["b"].values, [[2.0, np.nan]])


@pytest.mark.slow
def test_a_model_fitted_on_all_rows_is_compared_with_all_and_a_tested_one_without_its_test():
    case, hours = spikes_of(("persistence", "har", "ridge")), market("market", 3, seed=2)
    walked = walk(case, case.table(hours.frame), HOW)
    pooled = Pooled(walked, HOW)
    rows = {}
    for refit in (True, False):
        same = dataclasses.replace(walked, case=dataclasses.replace(case, refit=refit))
        facts = facts_of_fit(case, walked.table, registered(same, HOW))
        reference = reference_of(same.case, hours, same, pooled, facts)
        rows[refit] = reference.keys["BTC-USD"].rows
    second = hours.frame["second"].to_numpy()
    first = walked.table.order.min()
    assert rows[True] == (second >= first).sum(), "all rows from the first usable one on"
    last = walked.questions[-1].fold
    until = walked.table.order[last.train].max() + case.horizon_s
    assert rows[False] == ((second >= first) & (second <= until)).sum()
