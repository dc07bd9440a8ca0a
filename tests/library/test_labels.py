"""Labels of feature rows: what came, and what is unusual of it."""

import numpy as np
import polars as pl
import pytest

import barograph as bg
import feature_oracle
from barograph.errors import BadInputError, TooLittleDataError
from barograph.library.frames import Features


def only(X, rows):
    """Features of some of the rows."""
    frame = X.frame.with_row_index("row").filter(rows)
    return Features(frame.drop("row"), X._reason_codes[frame["row"].to_numpy()], X.case)


@pytest.mark.parametrize("horizon_s", [10, 60])
def test_a_label_is_the_volatility_of_the_seconds_that_follow_or_unknown(X, horizon_s):
    y = bg.label(X, horizon_s=horizon_s)
    # exact: names and whole seconds
    assert y.select("product", "second").equals(X[["product", "second"]])
    for (product,), rows in X.frame.group_by("product"):
        returns = dict(zip(rows["second"], rows["return_e9"], strict=True))
        of_product = y.filter(pl.col("product") == product)
        for second, label in of_product.select("second", "future_realized_vol").iter_rows():
            expected = feature_oracle.future_realized_vol(returns, second, horizon_s)
            if label is None:
                assert expected is None or np.isnan(expected)
            else:
                assert label == pytest.approx(expected, rel=1e-12)


def test_a_spike_reaches_tau_which_is_a_quantile_of_the_products_labels(X):
    y = bg.label(X, quantile=0.8)
    for _, rows in y.group_by("product"):
        known = rows.drop_nulls("future_realized_vol")
        tau = np.quantile(known["future_realized_vol"], 0.8, method="higher")
        # exact: tau is one of the labels
        assert rows["tau"].unique().to_list() == [tau]
        assert (known["spike"] == (known["future_realized_vol"] >= tau)).all()
    assert (y["spike"].is_null() == y["future_realized_vol"].is_null()).all()


def test_a_product_with_too_few_labels_has_no_tau_and_that_is_told(X):
    few = only(X, (pl.col("product") == "BTC-USD") | (pl.col("row") >= len(X) - 100))
    with pytest.warns(UserWarning, match="ETH-USD has no tau: .* known labels"):
        y = bg.label(few)
    lacking = y.filter(pl.col("product") == "ETH-USD")
    assert lacking["tau"].null_count() == lacking["spike"].null_count() == 100
    assert y.filter(pl.col("product") == "BTC-USD")["tau"].null_count() == 0


def test_too_few_labels_of_every_product_are_refused(X):
    with pytest.raises(TooLittleDataError, match="600"):
        bg.label(only(X, pl.col("row") < 300))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"horizon_s": 45}, "Use one of 10, 30, 60, 300, 900"),
        ({"horizon_s": None}, "Use one of 10, 30"),
        ({"quantile": 1.5}, "between 0 and 1"),
        ({"quantile": "0.9"}, "between 0 and 1"),
        ({"min_labels": 0}, "Use 1 or more"),
    ],
)
def test_what_is_no_label_is_refused(X, options, why):
    with pytest.raises(BadInputError, match=why):
        bg.label(X, **options)


def test_labels_are_of_features_and_not_of_their_frame(X):
    for wrong in (X.frame, None, X["second"], Features):
        with pytest.raises(BadInputError, match=r"not what barograph\.features returns"):
            bg.label(wrong)


def test_a_horizon_is_a_whole_number(X):
    with pytest.raises(BadInputError, match="no feature is its realised volatility"):
        bg.label(X, horizon_s="60")
