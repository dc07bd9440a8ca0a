"""Baseline forecasts computed only in experiments, to measure what a model adds.

They use the one-second returns of each row's past, as the features do, but are not computed live,
so no model may use them.
"""

from importlib.util import find_spec

import numpy as np

from barograph.arrays import Bool, Float64, Int64
from barograph.compiled import compiled


def grid(values: Float64, second: Int64, step_s: int) -> tuple[Float64, Int64]:
    """The values (n,) with one more NaN at each hole, and the index of each row in them.

    second: (n,) of the rows by key; a row that does not come `step_s` after its predecessor follows
    a hole.
    """
    broken = np.diff(second, prepend=second[0]) != step_s
    holes = np.flatnonzero(broken)
    return np.insert(values, holes, np.nan), np.arange(len(values)) + np.cumsum(broken)


def mean_variance(  # noqa: PLR0913 - the returns, the law, and the horizon
    returns: Float64,
    omega: float,
    alpha: float,
    beta: float,
    horizon_s: int,
    restarts: Bool | None = None,
) -> Float64:
    """Mean variance of the `horizon_s` returns after each one, by GARCH(1,1); (n,) of (n,).

        σ²(t+1) = ω + α r²(t) + β σ²(t)

    returns: NaN is an unknown one. restarts: (n,) where the recursion forgets what was before and
    takes r² of the next return as σ², by default wherever a return is unknown; over an unknown one
    elsewhere σ² stays. Source: Bollerslev (1986), J. Econometrics 31(3). With ω = 0 and α + β = 1
    it is the exponentially weighted mean of RiskMetrics (1996).
    """
    return _recursion(
        returns,
        np.isnan(returns) if restarts is None else restarts,
        (omega, alpha, beta),
        horizon_s,
    )


@compiled
def _recursion(
    returns: Float64, restarts: Bool, weights: tuple[float, float, float], horizon_s: int
) -> Float64:
    omega, alpha, beta = weights
    kept = alpha + beta
    # Mean over k = 1 … h of kept^(k−1): the remaining share of the deviation from the long run.
    share = 1.0 if kept >= 1.0 else (1.0 - kept**horizon_s) / (1.0 - kept) / horizon_s
    long_run = 0.0 if kept >= 1.0 else omega / (1.0 - kept)
    out = np.full(len(returns), np.nan)
    variance = -1.0
    for t in range(len(returns)):
        square = returns[t] * returns[t]
        if restarts[t]:
            variance = -1.0
        if not np.isnan(square):
            variance = square if variance < 0.0 else omega + alpha * square + beta * variance
        if variance >= 0.0:
            out[t] = long_run + share * (variance - long_run)
    return out


def has_garch() -> bool:
    """Whether the extra `garch` is installed."""
    return find_spec("arch") is not None


def garch_vol(
    returns: Float64, learned_from: Bool, horizon_s: int, restarts: Bool | None = None
) -> Float64:
    """Forecast volatility (n,) in 1/√s after each return, by GARCH(1,1).

    returns, restarts: as for `mean_variance`. Fitted on the returns that `learned_from` (n,) marks;
    zero if those are constant. Needs the extra `garch`.
    """
    from arch import arch_model  # noqa: PLC0415 - an extra

    known = returns[learned_from & ~np.isnan(returns)]
    scale = float(known.std()) if len(known) else 0.0
    if scale == 0:
        return returns * 0.0
    model = arch_model(known / scale, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
    parameters = model.fit(disp="off", show_warning=False).params
    omega = float(parameters["omega"]) * scale**2
    variance = mean_variance(
        returns,
        omega,
        float(parameters["alpha[1]"]),
        float(parameters["beta[1]"]),
        horizon_s,
        restarts,
    )
    return np.sqrt(variance)
