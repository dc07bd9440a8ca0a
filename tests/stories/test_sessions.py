"""Real sessions in any order, in one call or over several, make the same rows on either log."""

import json
from contextlib import closing

import polars as pl
import pytest

from barograph.codec import decode_row
from barograph.log import open_log
from barograph.log.topics import FEATURES
from log_contents import values
from verb_processes import Life

NAMES = ("20251126_0051", "20251126_0216", "20251127_1453")


@pytest.fixture
def files(data):
    return [data / "sessions" / f"coinbase_btc_eth_sol_{name}.ndjson.gz" for name in NAMES]


def rows_in(address):
    """The rows of a log without their reasons, in order of product and second."""
    with closing(open_log(address)) as log:
        rows = [
            decode_row(value) for records in values(log, FEATURES).values() for _, value in records
        ]
    rows.sort(key=lambda row: (row.product, row.second))
    return [(row.product, row.second, row.log_mid_e9, row.return_e9, row.values) for row in rows]


def table(home):
    return pl.read_parquet(home / "datasets" / "spikes.parquet").sort("product", "second")


def test_sessions_in_any_order_over_several_calls_make_the_same_rows(files, address, tmp_path):
    inorder, home = tmp_path / "in-order", tmp_path / "home"
    places = ("--home", home, "--log", address)
    Life("replay", *files, "--home", inorder).answer()
    for file in (files[2], files[0], files[1]):
        fed = json.loads(Life("replay", file, *places, "--json").answer())["feed"]
        assert fed["dead_letters"] == {}
    assert rows_in(address) == rows_in(inorder)
    for words in ((), ("--archive",)):
        verified = json.loads(Life("verify", *words, *places, "--json").answer())
        assert verified["difference"] is None
        assert verified["rows"] == len(rows_in(inorder))

    # Of both archives, and of the files in any order, the dataset is the same.
    Life("dataset", "--home", inorder).answer()
    Life("dataset", "--home", home).answer()
    Life("dataset", *reversed(files), "--home", tmp_path / "of-files").answer()
    expected = table(inorder)
    # exact: the same image of features of the same frames
    assert table(tmp_path / "of-files").equals(expected)
    # exact: the same image of features of the same frames
    assert table(home).drop("reasons").equals(expected.drop("reasons"))


def test_one_call_takes_sessions_in_the_order_of_time(files, tmp_path):
    homes = tmp_path / "forwards", tmp_path / "backwards"
    Life("replay", *files, "--home", homes[0]).answer()
    Life("replay", *reversed(files), "--home", homes[1]).answer()
    contents = []
    for home in homes:
        with closing(open_log(home)) as log:
            contents.append(values(log, FEATURES))
    assert contents[0] == contents[1]
