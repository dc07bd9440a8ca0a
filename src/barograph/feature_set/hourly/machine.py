"""The machine of hourly features: records of candles.raw in, a row of features for each new hour.

The state is one NumPy record for each product and its bytes are the checkpoint.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from barograph import codec
from barograph.arrays import Records, UInt8
from barograph.candle_records import HOUR_S, Candle
from barograph.codec import NAT, UnreadableError
from barograph.feature_set.hourly import kernel
from barograph.feature_set.hourly.catalogue import FEATURE_SET_HASH, ROW
from barograph.feature_set.hourly.hours import CANDLE, is_in_range
from barograph.feature_set.hourly.state import checkpoint_of, new_states, state_of
from barograph.feature_set.product_states import ProductStates, StateKind
from barograph.feature_set.rows import feature_rows
from barograph.types import APPENDED_TIME, LATEST_NS, NS_PER_S, Fault, Outcome, Record

MAX_HOURLY_PRODUCTS = 512
"""The machine keeps 115 KB of each product; one more is refused as `unknown_product`."""

_KIND = StateKind(new_states, checkpoint_of, state_of)

UNFINISHED_NS = 60 * NS_PER_S
"""A candle that came so long before its own close is unfinished; clocks differ by less."""

_OUT_OF_RANGE = "its range or realised volatility is beyond what exact sums hold"
_FATES = {
    kernel.DUPLICATE: (Fault.DUPLICATE, "its hour is known in this version or a newer one"),
    kernel.LATE: (Fault.LATE, "its hour is older than all windows"),
    kernel.OUT_OF_RANGE: (Fault.OUT_OF_RANGE, _OUT_OF_RANGE),
}


class HourlyFeatures:
    """A machine: records of candles.raw in, feature rows out. No clock, no I/O.

    Each product's rows depend on that product's records alone. A hole in a product's hours makes no
    row; a candle of an earlier hour, or a newer version of one, changes the rows that follow and
    makes none of its own. Of an hour that both our own ticks and a service have the first counts,
    and the other is passed over.
    """

    def __init__(self) -> None:
        self._states = ProductStates(_KIND, MAX_HOURLY_PRODUCTS)

    def product_index(self, product: str) -> int:
        """The product's place in the arrays, given out in the order of first use.

        Raises UnreadableError for a name beyond the first MAX_HOURLY_PRODUCTS.
        """
        return self._states.index(product)

    def update(self, candles: Records) -> tuple[Records, UInt8]:
        """Rows of the hours that are new, and what became of each candle (`kernel.TAKEN` …).

        candles: (n,) of CANDLE, in the order of the log. Both are new arrays.
        """
        rows = np.zeros(len(candles), ROW)
        fates = np.zeros(len(candles), np.uint8)
        n_rows = kernel.update(self._states.array, candles, rows, fates)
        self._states.changed(np.unique(candles["product"]).tolist())
        return rows[:n_rows], fates

    def receive(self, records: Sequence[Record]) -> Outcome:
        """Feature rows as JSON under their product; what cannot be used as dead letters."""
        readable, candles, dead_letters = codec.decode_candle.all_of(records)
        usable: list[Record] = []
        numbers: list[tuple[int | float, ...]] = []
        for record, candle in zip(readable, candles, strict=True):
            try:
                _check(record, candle)
                numbers.append((*_numbers(candle), self.product_index(candle.product)))
            except UnreadableError as refused:
                dead_letters.append(codec.dead(record, refused.fault, refused.detail))
            else:
                usable.append(record)
        rows, fates = self.update(np.array(numbers, CANDLE))
        for place in np.flatnonzero(fates).tolist():
            if fates[place] != kernel.SECOND_SOURCE:  # it is compared elsewhere
                dead_letters.append(codec.dead(usable[place], *_FATES[int(fates[place])]))
        words = feature_rows(rows, self._states.names, FEATURE_SET_HASH)
        return Outcome([(row.product, codec.encode(row)) for row in words], dead_letters)

    def snapshot(self) -> dict[str, bytes]:
        """The states, as bytes, of the products that changed since the last call."""
        return self._states.snapshot()

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Take up each product where its checkpoint left it.

        Raises ForeignStateError for a checkpoint that is damaged or of another layout.
        """
        self._states.restore(checkpoints)


def _numbers(candle: Candle) -> tuple[int | float, ...]:
    """The fields of CANDLE but its product."""
    received = candle.receive_time_ns
    prices = candle.prices or (np.nan,) * 4
    return (
        candle.start_s // HOUR_S,
        int(NAT) if received is None else received,
        *prices,
        float(candle.volume),
        np.nan if candle.realized_vol is None else candle.realized_vol,
        -candle.version if candle.source == "ticks" else candle.version,
    )


def _check(record: Record, candle: Candle) -> None:
    """Raise UnreadableError for a candle that can be read and is of no use."""
    if candle.step_s != HOUR_S:
        why = f"it is of {candle.step_s} s, an hour has {HOUR_S}"
        raise UnreadableError(Fault.WRONG_SHAPE, why)
    if candle.end_s > LATEST_NS // NS_PER_S:
        raise UnreadableError(Fault.FUTURE, "it ends after all times that are known")
    _, high, low, _ = candle.prices or (np.nan,) * 4
    if not is_in_range(high, low, candle.realized_vol or 0.0):
        raise UnreadableError(Fault.OUT_OF_RANGE, _OUT_OF_RANGE)
    came_ns = [candle.receive_time_ns, codec.natural(record.headers.get(APPENDED_TIME))]
    earliest_ns = min((time_ns for time_ns in came_ns if time_ns is not None), default=None)
    if earliest_ns is not None and candle.known_ns > earliest_ns + UNFINISHED_NS:
        early_s = (candle.known_ns - earliest_ns) // NS_PER_S
        raise UnreadableError(Fault.FUTURE, f"it came {early_s} s before its hour was over")
