"""Feature rows as arrays, and as words of a log."""

from collections.abc import Iterator, Sequence

import numpy as np

from barograph.arrays import Records
from barograph.codec import NAT
from barograph.types import FeatureRow


def row_dtype(columns: int) -> np.dtype[np.void]:
    """One row of so many features; see `types.FeatureRow`.

    `log_mid_e9`, `return_e9` and `receive_time_ns` may be NAT. The filler leaves no bytes between
    fields, which would be nobody's: equal rows are equal bytes.
    """
    return np.dtype(
        [
            ("second", "i8"),
            ("log_mid_e9", "i8"),
            ("return_e9", "i8"),
            ("receive_time_ns", "i8"),
            ("values", "f8", (columns,)),
            ("reasons", "u1", (columns,)),
            ("filler", "u1", (-(columns + 4) % 8,)),
            ("product", "i4"),
        ],
        align=True,
    )


def feature_rows(rows: Records, products: Sequence[str], feature_set: str) -> Iterator[FeatureRow]:
    """Each of (n,) of `row_dtype` as a word; NaN becomes None in its JSON."""
    copied = ("second", "log_mid_e9", "return_e9", "receive_time_ns", "values")
    unknown = int(NAT)
    for second, log_mid, log_return, received, values, reasons, product in zip(
        *(rows[name].tolist() for name in copied),
        rows["reasons"] + ord("0"),
        rows["product"].tolist(),
        strict=True,
    ):
        yield FeatureRow(
            product=products[product],
            second=second,
            feature_set=feature_set,
            log_mid_e9=None if log_mid == unknown else log_mid,
            return_e9=None if log_return == unknown else log_return,
            receive_time_ns=None if received == unknown else received,
            values=values,
            reasons=reasons.tobytes().decode(),
        )
