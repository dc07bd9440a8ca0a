"""What a model gets of a frame: what the live scorers would have got of the same rows."""

import json

import numpy as np
import polars as pl
import pytest

import barograph as bg
from barograph import codec
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError
from barograph.library.model_inputs import inputs_of
from barograph.pipeline.record_scorer import RecordScorer
from barograph.types import Record
from registered_models import facts_of, graph
from subscribers import CONTRACT, SUBSCRIBERS, model, subscriber

FACTS = facts_of(graph(), features=("tau", "realized_vol_10s"))


def rows(**columns):
    return pl.DataFrame(
        {"product": ["BTC-USD", "ETH-USD", "SOL-USD"], "realized_vol_10s": [1e-4, None, 1e-4]}
        | columns
    )


def of_rows(frame):
    return inputs_of("spikes/1", FACTS, SPIKES, frame)


def test_inputs_are_in_the_models_order_and_unknown_where_one_is():
    x = of_rows(rows())
    assert x.dtype == np.float32
    np.testing.assert_allclose(x[0], [5.6e-5, 1e-4], rtol=1e-6)
    assert np.isnan(x[1]).tolist() == [False, True]
    assert np.isnan(x[2]).all(), "a product without a tau"


def test_a_number_beyond_float32_is_unknown_and_no_warning():
    assert np.isinf(of_rows(rows(realized_vol_10s=[1e300] * 3))[0, 1])


@pytest.mark.parametrize(
    "column", [["1e-4"] * 3, [[1e-4]] * 3, [True] * 3, [{"a": 1}] * 3], ids=repr
)
def test_a_feature_that_is_no_number_is_refused(column):
    with pytest.raises(BadInputError, match=r"the column realized_vol_10s is .*, no number"):
        of_rows(rows(realized_vol_10s=column))


def test_a_column_that_is_missing_or_a_product_that_is_no_text_is_refused():
    with pytest.raises(BadInputError, match="no column realized_vol_10s, product"):
        of_rows(pl.DataFrame({"a": [1]}))
    with pytest.raises(BadInputError, match=r"the column product is List\(String\), no text"):
        of_rows(rows(product=[["a"]] * 3))


def test_rows_of_products_that_the_model_never_saw_are_warned_of():
    with pytest.warns(UserWarning, match="trained on BTC-USD, ETH-USD, and all rows are of BTCUSD"):
        assert np.isnan(of_rows(rows(product=["BTCUSD"] * 3))).all()


def records(count=20):
    return pl.DataFrame([subscriber(number) for number in range(count)], infer_schema_length=None)


def scored(frame):
    return bg.Model(model(), SUBSCRIBERS).predict_proba(frame)[:, 1]


def test_records_get_the_probabilities_of_the_live_scorer():
    frame = records()
    live = RecordScorer("subscribers", CONTRACT, model()).receive(
        [
            Record("s", 0, place, words["id"], json.dumps(words).encode())
            for place, words in enumerate(frame.iter_rows(named=True))
        ]
    )
    expected = [codec.decode_record_prediction(value).probability for _, value in live.values]
    # exact: one row at a time, as live
    assert scored(frame).tolist() == expected
    as_text = frame.select(pl.all().cast(pl.String))
    # exact: as a CSV file has them
    assert scored(as_text).tolist() == expected


def test_a_column_of_products_makes_no_record_a_row():
    """The cure of a model of rows was followed, and everything was NaN."""
    assert np.isfinite(scored(records().with_columns(product=pl.lit("BTC-USD")))).all()


def test_a_record_that_breaks_the_contract_is_unknown_and_counted():
    frame = records().with_columns(
        pl.when(pl.int_range(20) == 3).then(-1).otherwise("months").alias("months")
    )
    with pytest.warns(
        UserWarning, match=r"1 of 20 rows break the contract: row 3: \$\.months"
    ) as w:
        assert np.flatnonzero(np.isnan(scored(frame))).tolist() == [3]
    assert [one.filename for one in w] == [__file__]


def test_a_frame_without_one_record_is_refused_with_what_to_give():
    with pytest.raises(BadInputError, match=r"the frame has no column .*months.* Give records"):
        scored(records().drop("months"))
    with pytest.raises(BadInputError, match=r"none of 20 rows .* words and not as codes"):
        scored(records().with_columns(plan=pl.lit(1)))
    assert len(scored(records().head(0))) == 0
