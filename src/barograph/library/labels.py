"""Labels of feature rows: the volatility of the next minute, and whether it is a spike."""

import warnings

import numpy as np
import polars as pl

from barograph.errors import BadInputError, TooLittleDataError
from barograph.evaluation import labels
from barograph.library import arguments
from barograph.library.frames import Features, refuse_unless_features

_VALUE = "realized_vol_{}s"


def label(
    X: Features,
    *,
    horizon_s: int = labels.HORIZON_S,
    quantile: float = labels.QUANTILE,
    min_labels: int = 600,
) -> pl.DataFrame:
    """Labels of feature rows, a row for each row of `X`, in its order.

    Columns: `product`, `second`; `future_realized_vol`, the realised volatility of the `horizon_s`
    seconds after the row, in 1/√s; `spike`, 1 where that is at least tau, else 0; `tau`, the
    `quantile` of the product's known labels, in 1/√s. All three are null where they cannot be
    known: where the horizon meets a gap or the end of the rows, that is never "calm".

    tau is computed from all rows given, so it knows what came later: fit and judge with it as
    an exploration. `barograph.evaluate`, as `barograph train`, computes it anew from the training
    rows of each fold.

    horizon_s: one whose realised volatility is a feature (10, 30, 60, 300 or 900). A product with
    fewer than `min_labels` known labels (overlapping ones: 600 are ten independent minutes) or
    without movement has no tau and no spikes, and there is a warning that says so.
    Raises BadInputError for an X, horizon, quantile or number that is none, TooLittleDataError
    where no product has a tau.

    >>> y = bg.label(X, horizon_s=60, quantile=0.90)
    >>> y.columns
    ['product', 'second', 'future_realized_vol', 'spike', 'tau']
    >>> round(y["spike"].mean(), 2), y["spike"].null_count()  # the last minute is not over
    (0.1, 60)
    """
    refuse_unless_features(X)
    quantile = arguments.share("quantile", quantile)
    min_labels = arguments.whole_number("min_labels", min_labels, least=1)
    value = _VALUE.format(horizon_s)
    if not isinstance(horizon_s, int) or value not in X.names:
        offered = [name[13:-1] for name in X.names if name.startswith("realized_vol_")]
        raise BadInputError(
            f"horizon_s={arguments.shown(horizon_s)}", "no feature is its realised volatility",
            f"Use one of {', '.join(offered)}",
        )  # fmt: skip
    parts, lacking = [], {}
    for (product,), rows in X.frame.select("product", "second", value).group_by(
        "product", maintain_order=True
    ):
        outcome = labels.later(
            rows["second"].to_numpy(),
            rows[value].fill_null(np.nan).to_numpy(),
            horizon_s=horizon_s,
        )
        tau = None
        try:
            tau = labels.tau(outcome, quantile=quantile, min_labels=min_labels)
        except TooLittleDataError as error:
            lacking[str(product)] = error
        spike = np.full(len(rows), np.nan) if tau is None else labels.spikes(outcome, tau)
        parts.append(
            rows.select(
                "product",
                "second",
                pl.Series("future_realized_vol", outcome).fill_nan(None),
                pl.Series("spike", spike).fill_nan(None).cast(pl.Int8),
                pl.lit(tau, pl.Float64).alias("tau"),
            )
        )
    if len(lacking) == len(parts):
        raise next(iter(lacking.values()))
    for product, why in lacking.items():
        warnings.warn(f"{product} has no tau: {why}", stacklevel=2)
    return pl.concat(parts)
