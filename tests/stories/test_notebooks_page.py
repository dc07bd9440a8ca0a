"""The page on notebooks: its code, run as it stands from top to bottom."""

import gzip
import re
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import barograph as bg
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from lived_home import lived

PAGE = Path(__file__).parents[2] / "docs" / "notebooks.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def names(tmp_path_factory, made_home):
    """What the page's code leaves, run where the reader's files are: BTC.ndjson.gz, t.csv and H."""
    folder = tmp_path_factory.mktemp("notebook")
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 4, 1_750_000_000 * 10**9)
    frames = market.advance(3000)
    market.advance(60)
    frames += market.advance(7000)
    path = folder / "BTC.ndjson.gz"
    path.write_bytes(gzip.compress(b"".join(frame.data + b"\n" for frame in frames)))
    ticks = bg.read_ticks(path).frame.filter(pl.col("kind") == "tick")
    ticks.select(
        pl.col("product").alias("symbol"), pl.col("event_time_ns").alias("ts"), "bid", "ask"
    ).write_csv(folder / "t.csv")
    lived(folder / "H", made_home, path)
    made = {}
    with pytest.MonkeyPatch.context() as now:
        now.chdir(folder)
        for block in BLOCK.findall(PAGE.read_text("utf-8")):
            exec(compile(block, str(PAGE), "exec"), made)  # noqa: S102 - our own page
    yield made
    made["home"].close()


@pytest.mark.slow
def test_every_form_of_the_same_ticks_gives_the_same_features(names):
    of_table = bg.features(names["ticks_of_table"]).frame
    assert_frame_equal(bg.features(names["ticks_of_frame"]).frame, of_table)
    assert len(of_table) == pytest.approx(len(names["X"]), abs=3)  # heartbeats close seconds, too


@pytest.mark.slow
def test_the_code_does_what_the_page_says(names):
    assert len(names["y"]) == len(names["X"])
    assert len(names["scores"]) == 3
    assert (names["scores"] > 0).all()  # and none is NaN
    assert names["p"].shape == (len(names["X"]),)
    assert names["r"].left_out == {}
    assert "forest" in names["r"].scores["candidate"].to_list()
    assert names["alert"].text.startswith("BTC-USD")
