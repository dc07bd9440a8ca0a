"""A forest from a module of one's own, all the way: trained, promoted, scored live and again."""

import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from barograph import codec
from barograph.log import open_log
from barograph.log.topics import PREDICTIONS
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import Verdict
from log_contents import values
from verb_processes import Life

pytestmark = pytest.mark.operations

PAGE = Path(__file__).parents[2] / "docs" / "your-own-case.md"
PRODUCTS = ("BTC-USD", "ETH-USD")


def module():
    """`mine.py` as the page has it, with the case that registers the forest in any case."""
    section = PAGE.read_text(encoding="utf-8").partition("## A candidate of your own\n")[2]
    blocks = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return "".join(blocks[:2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two recordings, one after the other, and the module."""
    place = tmp_path_factory.mktemp("mine")
    (place / "mine.py").write_text(module(), encoding="utf-8")
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 1, 1_750_000_000 * 10**9)
    for name, minutes in (("first", 150), ("second", 10)):
        frames = [frame.data for _ in range(minutes) for frame in market.advance(60)]
        (place / f"{name}.ndjson").write_bytes(b"\n".join(frames) + b"\n")
    return place


def scored(home):
    """The bytes of all predictions by product, and of how many is a probability."""
    with closing(open_log(home)) as log:
        pairs = [pair for part in values(log, PREDICTIONS).values() for pair in part]
    by_product = {product: [v for key, v in pairs if key == product] for product in PRODUCTS}
    predictions = [codec.decode_prediction(value) for _, value in pairs]
    return by_product, [one for one in predictions if one.verdict == Verdict.PREDICTED]


def test_a_forest_is_trained_registered_promoted_and_says_the_same_bytes_again(
    folder, made_home, monkeypatch
):
    monkeypatch.chdir(folder)
    home = shutil.copytree(made_home, folder / "home")
    Life("dataset", "first.ndjson", "--home", home).answer()
    words = ("--case", "mine:CASE", "--home", home)
    report = json.loads(
        Life(
            "train", *words, "--candidates", "mine:FOREST", "--folds", "2", "--no-control", "--json"
        ).answer()
    )
    assert report["model"]["chosen"] == "forest"
    assert [row["name"] for row in report["tested"]["scores"]][-2:] == ["forest", "chosen"]
    assert report["settings"]["candidates"] == ["mine:FOREST"]
    version = report["model"]["version"]
    Life("models", "promote", version, *words).answer()
    card = json.loads(Life("report", "card", version, *words, "--json").answer())
    assert card["facts"]["features"] == [
        "observed_vol_10s", "observed_vol_60s", "quiet_share_60s", "log_return_10s",
    ]  # fmt: skip

    again = shutil.copytree(home, folder / "again")
    Life("replay", "second.ndjson", "--home", home).answer()
    Life("replay", "second.ndjson", "--home", again).answer()
    ours, theirs = scored(home), scored(again)
    assert ours[0] == theirs[0]
    label = f"spikes/{version}"
    known = [one for one in ours[1] if one.model == label]
    assert len(known) > 500
    assert len({one.probability for one in known}) > 20
    # The module is not asked for any more: the model is its graph.
    (folder / "mine.py").unlink()
    Life("score", "--home", home).answer()
    listed = json.loads(Life("models", "show", version, "--home", home, "--json").answer())
    assert listed["facts"]["candidate"] == "forest"
