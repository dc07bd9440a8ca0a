"""Writes a simulated market as two recordings, for `make compare`.

    python deploy/simulated_recordings.py FOLDER HOURS SEED

FOLDER/trained.ndjson.gz has the first two thirds of the hours, on which models are trained, and
FOLDER/later.ndjson.gz the rest, on which they are compared.
"""

import gzip
import sys
from pathlib import Path

from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket

PRODUCTS = ("BTC-USD", "ETH-USD")
START_NS = 1_760_000_000 * 10**9
STEP_S = 600


def main(folder: Path, hours: float, seed: int) -> None:
    """Write both files."""
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, seed, START_NS)
    steps = int(hours * 3600 / STEP_S)
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in (("trained", steps * 2 // 3), ("later", steps - steps * 2 // 3)):
        with gzip.open(folder / f"{name}.ndjson.gz", "wb", compresslevel=1) as file:
            for _ in range(count):
                file.writelines(frame.data + b"\n" for frame in market.advance(STEP_S))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
