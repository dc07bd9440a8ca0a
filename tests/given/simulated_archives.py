"""Homes whose feed heard a simulated market with holes in it."""

from barograph.archive.writer import ArchiveWriter
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.venues.entries import Closing, Dialect, Heard, Opening

START_NS = 1_750_000_000 * 10**9
PRODUCTS = ("BTC-USD", "ETH-USD")
HOLES_S = (120, 5, 7200, 30)


def fed(home, minutes=(50, 70, 25, 40), seed=3, *, files=2):
    """A home whose feed heard a market with holes between, in so many files of its archive."""
    for entries in heard(minutes, seed, files):
        written(home, entries).close()
    return home


def written(home, entries):
    """The writer of a file of the archive, which is acknowledged and may go on."""
    writer = ArchiveWriter(home / "archive")
    for entry in entries:
        writer.write(entry)
    writer.flush()
    writer.acknowledge()
    return writer


def heard(minutes, seed, files):
    """What a feed hears, for each of so many files."""
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, seed, START_NS)
    parts = []
    for number, (length, hole_s) in enumerate(zip(minutes, HOLES_S, strict=False)):
        frames = market.advance(60 * length, f"simulated/{number}")
        parts.append([Opening(connection=frames[0].connection, dialect=Dialect.EXCHANGE)])
        parts[-1] += [Heard(frame, Dialect.EXCHANGE) for frame in frames]
        parts[-1].append(Closing(frames[0].connection))
        market.advance(hole_s)
    entries = [entry for part in parts for entry in part]
    size = -(-len(entries) // files)
    return [entries[start : start + size] for start in range(0, len(entries), size)]
