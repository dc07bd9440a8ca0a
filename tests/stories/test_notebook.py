"""The exploration runs from top to bottom: on its own market, and on the home that it is given."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from barograph.archive.writer import ArchiveWriter
from barograph.cases.spikes import SPIKES
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.training import dataset
from barograph.venues.entries import Dialect, Heard, Opening
from notebook_output import printed

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "eda.ipynb"
SECONDS_PER_CELL = 240


@pytest.fixture
def explore(monkeypatch, tmp_path):
    """Runs the notebook on a home: its code cells, with what they showed."""

    def run(home):
        monkeypatch.setenv("BAROGRAPH_HOME", str(home))
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        place = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, timeout=SECONDS_PER_CELL, resources=place).execute()
        return [cell for cell in notebook.cells if cell.cell_type == "code"]

    return run


def pictures(cell):
    return [output for output in cell.outputs if "image/png" in output.get("data", {})]


def test_without_a_home_it_explores_a_market_of_its_own(explore):
    cells = explore("")
    assert printed(cells, "stderr") == ""
    assert printed(cells).startswith("simulated: ")
    assert "6 series" in printed(cells)
    shown = {number: len(pictures(cell)) for number, cell in enumerate(cells)}
    assert shown == {number: "plt.show()" in cell.source for number, cell in enumerate(cells)}
    assert sum(shown.values()) == 9


def test_it_explores_the_home_that_it_is_given_also_a_short_one(explore, tmp_path):
    """Half an hour of one product is too short for memory in minutes, and it says so."""
    market = SimulatedMarket(PRESETS["market"], ("BTC-USD",), 3, 1_750_000_000 * 10**9)
    writer = ArchiveWriter(tmp_path / "archive")
    writer.write(Opening(connection="simulated", dialect=Dialect.EXCHANGE))
    for frame in market.advance(1800):
        writer.write(Heard(frame, Dialect.EXCHANGE))
    writer.flush()
    writer.close()
    rows = dataset.build(tmp_path, SPIKES).rows
    cells = explore(tmp_path)
    assert printed(cells, "stderr") == ""
    assert printed(cells).startswith(f"recorded: {rows:,} seconds")
    assert "No session has 60 known minutes" in printed(cells)


def test_a_home_without_a_dataset_is_refused_and_nothing_is_invented(explore, tmp_path):
    with pytest.raises(
        CellExecutionError, match=r"there is none in .*`barograph dataset --case spikes`"
    ):
        explore(tmp_path)
    assert list(tmp_path.iterdir()) == []
