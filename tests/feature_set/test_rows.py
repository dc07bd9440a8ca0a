"""Rows as arrays and as words."""

import math

import numpy as np

from barograph import codec
from barograph.codec import NAT
from barograph.feature_set.rows import feature_rows, row_dtype
from barograph.types import FeatureRow, Reason


def test_no_number_of_columns_leaves_bytes_that_are_nobodys():
    for columns in range(1, 20):
        dtype = row_dtype(columns)
        assert dtype.itemsize == sum(dtype[name].itemsize for name in dtype.names)
        assert dtype["values"].shape == dtype["reasons"].shape == (columns,)


def test_what_is_not_known_of_a_row_is_none():
    rows = np.zeros(2, row_dtype(2))
    rows["product"], rows["second"] = [1, 0], [7, 8]
    rows["log_mid_e9"], rows["return_e9"], rows["receive_time_ns"] = [NAT, 5], [NAT, 6], [NAT, 9]
    rows["values"][0, 1] = math.nan
    rows["reasons"][0, 1] = int(Reason.GAP)
    words = [codec.decode_row(codec.encode(row)) for row in feature_rows(rows, "AB", "f")]
    unknown = {"log_mid_e9": None, "return_e9": None, "receive_time_ns": None}
    known = {"log_mid_e9": 5, "return_e9": 6, "receive_time_ns": 9}
    assert words == [
        FeatureRow(product="B", second=7, feature_set="f", values=[0.0, None], reasons="02",
                   **unknown),
        FeatureRow(product="A", second=8, feature_set="f", values=[0.0, 0.0], reasons="00",
                   **known),
    ]  # fmt: skip
