"""Rows of a simulated market, for the scripts that show what models find in one."""

from collections.abc import Sequence
from pathlib import Path

from barograph.archive.writer import ArchiveWriter
from barograph.cases.case import Table
from barograph.cases.spikes import SPIKES
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.training import dataset
from barograph.types import NS_PER_S
from barograph.venues.entries import Dialect, Heard, Opening

START_S = 1_760_000_000
_FLUSH_EVERY_S = 600


def simulated_table(
    home: Path, preset: str, products: Sequence[str], *, seed: int, hours: int
) -> Table:
    """Archive a market's first hours in `home`, and make rows of them, as `barograph dataset`."""
    market = SimulatedMarket(PRESETS[preset], products, seed, START_S * NS_PER_S)
    writer = ArchiveWriter(home / "archive")
    writer.write(Opening(connection="simulated", dialect=Dialect.EXCHANGE))
    for _ in range(hours * 3600 // _FLUSH_EVERY_S):
        for frame in market.advance(_FLUSH_EVERY_S):
            writer.write(Heard(frame, Dialect.EXCHANGE))
        writer.flush()
    writer.close()
    dataset.build(home, SPIKES)
    return SPIKES.table(dataset.read(home, SPIKES).frame)
