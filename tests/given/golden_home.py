"""A home as a released version made it, kept as that version's backup, to be opened by later ones.

As a script it makes the file of this version: once for each release, with the release's code, by
`python tests/given/golden_home.py`.
"""

import lzma
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from barograph import __version__
from barograph.registry.registry import Registry
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from registered_models import facts_of, graph

FOLDER = Path(__file__).parent.parent / "stories" / "golden"
START_NS = 1_750_000_000 * 10**9
SECONDS = 75


def golden_homes():
    """The kept backups, oldest first."""
    return sorted(FOLDER.glob("home_*.tar.xz"))


def unpacked(packed, folder):
    """Unpack a kept backup; returns its folder."""
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / "backup"


def market(first_s, seconds):
    """A recording of the same market, from a second on."""
    made = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, START_NS)
    if first_s:
        made.advance(first_s)
    return b"".join(frame.data + b"\n" for frame in made.advance(seconds)) + b"no frame\n"


def make(folder):
    """A home with ticks, rows, predictions of a model, a dead letter and a dataset, backed up."""
    home, recording = folder / "home", folder / "market.ndjson"
    onnx = graph()
    models = Registry(home)
    models.register("spikes", onnx, facts_of(onnx))
    models.promote("spikes", 1, "the gate")
    recording.write_bytes(market(0, SECONDS))
    for words in (
        ("replay", recording, "--home", home),
        ("dataset", "--home", home),
        ("backup", folder / "backup", "--home", home),
    ):
        run = "from barograph.app.cli import main; main()"
        subprocess.run([sys.executable, "-c", run, *map(str, words)], check=True)
    return folder / "backup"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        backup = make(Path(place))
        FOLDER.mkdir(exist_ok=True)
        path = FOLDER / f"home_{__version__}.tar.xz"
        with tarfile.open(path, "x:xz", preset=9 | lzma.PRESET_EXTREME) as archive:
            archive.add(backup, "backup")
        print(path, path.stat().st_size, "bytes")
