"""Eight rolling sums in river, tick by tick, from which nine of the features follow.

River's windows keep no grid, so squared one-second returns, ranges and closing quotes are left out:
river does about a fifth of the work. Times are cut to whole seconds, so that at the last tick of a
second its windows hold what the grid's windows hold.
"""

from datetime import datetime, timedelta
from math import log

from river import stats, utils

WINDOWS_S = (10, 60, 300)


class RollingSums:
    """One product: `update` takes a tick, `features` says what the sums are now."""

    def __init__(self) -> None:
        def windows(*seconds: int) -> dict[int, utils.TimeRolling]:
            return {w: utils.TimeRolling(stats.Sum, period=timedelta(seconds=w)) for w in seconds}

        self._returns, self._ticks = windows(*WINDOWS_S), windows(*WINDOWS_S)
        self._bought, self._sold = windows(60)[60], windows(60)[60]
        self._log_mid: float | None = None
        self._trade_id = -1.0
        self._second = datetime.min  # noqa: DTZ901 - river has no zones

    def update(self, second: datetime, tick: dict[str, float], *, anchor: bool = False) -> None:
        """Take a tick in: `bid`, `ask`, `trade_id`, `last_size`, `side`.

        second: without a zone, as river compares it.
        anchor: it belongs to the first second, of which only the closing mid counts.
        """
        log_mid = log(0.5 * (tick["bid"] + tick["ask"]))
        if self._log_mid is not None and not anchor:
            r = log_mid - self._log_mid
            for rolling in self._returns.values():
                rolling.update(r, t=second)
        self._log_mid, self._second = log_mid, second
        new_trade = tick["trade_id"] != self._trade_id
        self._trade_id = tick["trade_id"]
        if anchor:
            return
        for rolling in self._ticks.values():
            rolling.update(1, t=second)
        if new_trade:
            side = self._bought if tick["side"] > 0 else self._sold
            side.update(tick["last_size"], t=second)

    def features(self) -> dict[str, float]:
        """The nine features, as far as their windows are full."""
        # A window forgets only when it is given something: a side that did not trade is told so.
        for side in (self._bought, self._sold):
            side.update(0.0, t=self._second)
        bought, sold = self._bought.get(), self._sold.get()
        ticks = {w: rolling.get() / w for w, rolling in self._ticks.items()}
        return {
            **{f"log_return_{w}s": rolling.get() for w, rolling in self._returns.items()},
            **{f"tick_intensity_{w}s": ticks[w] for w in WINDOWS_S},
            "tick_intensity_ratio_60_300s": ticks[60] / ticks[300] if ticks[300] else 1.0,
            "traded_volume_60s": bought + sold,
            "flow_imbalance_60s": (bought - sold) / (bought + sold) if bought + sold else 0.0,
        }
