"""What drift tests say between the sessions of real recordings, by `barograph report drift`."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from barograph.cases.case import Dataset
from barograph.cases.spikes import SPIKES
from barograph.errors import TooLittleDataError
from barograph.training import dataset
from barograph.training.drift_report import Span, drift_report
from barograph.types import NS_PER_S

RECORDINGS = (
    "recordings/coinbase_btc_20251205_06.ndjson.gz",
    "recordings/coinbase_btc_eth_20260404_0319_0519.ndjson.gz",
)
FIRST = "2025-11-24"
SPANS = (
    ("24–26 November", FIRST, "2025-11-27", "27 November–1 December", "2025-11-27", "2025-12-02"),
    ("24–25 November", FIRST, "2025-11-26", "26 November", "2025-11-26", "2025-11-27"),
    ("24–26 November", FIRST, "2025-11-27", "27 November", "2025-11-27", "2025-11-28"),
    ("24–27 November", FIRST, "2025-11-28", "28 November", "2025-11-28", "2025-11-29"),
    ("24–28 November", FIRST, "2025-11-29", "1 December", "2025-12-01", "2025-12-02"),
    ("24 November–1 December", FIRST, "2025-12-02", "5–6 December", "2025-12-05", "2025-12-07"),
    ("24 November–6 December", FIRST, "2025-12-07", "4 April", "2026-04-04", "2026-04-05"),
    ("5 December", "2025-12-05", "2025-12-06", "6 December", "2025-12-06", "2025-12-07"),
)
"""(reference, from, to, compared, from, to)."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One product in two spans, of which each has so many hours of rows.

    `tested` of `varying` columns were tested, in windows of which the share `at_limit` reached its
    limit. `alarms` began, of which `column` had the strongest test of all, with `strength`. Of
    `columns` the usual tests reject so many by KS (p < 0.05) and by PSI (> 0.2).
    """

    product: str
    reference: str
    reference_h: float
    compared: str
    compared_h: float
    tested: int
    varying: int
    too_short: str
    alarms: int
    at_limit: float
    strength: float
    column: str
    columns: int
    ks: int
    psi: int


def compared(data: Path) -> list[Compared]:
    """Compare the spans of the recordings in `data`, in order of time."""
    with tempfile.TemporaryDirectory() as place:
        return list(_compared(_dataset(data, Path(place))))


def _dataset(data: Path, home: Path) -> Dataset:
    files = sorted((data / "sessions").glob("coinbase_btc_eth_sol_*.ndjson.gz"))
    dataset.build(home, SPIKES, recordings=[*files, *(data / name for name in RECORDINGS)])
    return dataset.read(home, SPIKES)


def _compared(rows: Dataset) -> Iterator[Compared]:
    for reference, start, end, after, start_after, end_after in SPANS:
        try:
            report = drift_report(SPIKES, rows, _span(start, end), _span(start_after, end_after))
        except TooLittleDataError:
            continue
        for key in report.keys:
            strongest = key.columns[0]
            yield Compared(
                product=key.key,
                reference=reference,
                reference_h=round(key.before.rows / 3600, 1),
                compared=after,
                compared_h=round(key.after.rows / 3600, 1),
                tested=key.tested,
                varying=key.varying,
                too_short=key.too_short,
                alarms=len(key.alarms),
                at_limit=sum(one >= 1 for one in key.strength) / max(1, len(key.strength)),
                strength=max(key.strength, default=0.0),
                column=strongest.column if strongest.strength else "",
                columns=len(key.columns),
                ks=key.ks_alarms,
                psi=key.psi_alarms,
            )


def _span(start: str, end: str) -> Span:
    return Span(*(
        int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * NS_PER_S
        for day in (start, end)
    ))  # fmt: skip
