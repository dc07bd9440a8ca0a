"""The archive by the command line: listed, verified, made Parquet."""

import json

import polars as pl
import pytest

HOME = ("--home", "h")


@pytest.fixture
def fed(run, recording):
    """A home into which a recording was replayed."""
    run("replay", recording(), "--no-stages", *HOME)


@pytest.mark.usefixtures("fed")
def test_the_list_says_what_the_feed_took(run):
    code, out, err = run("archive", "list", *HOME, "--json")
    assert (code, err) == (0, "")
    inventory = json.loads(out)
    assert [file["state"] for file in inventory["files"]] == ["finished"]
    assert inventory["ticks"] > 100
    code, out, _ = run("archive", "list", *HOME)
    assert (code, "000001 finished" in " ".join(out.split())) == (0, True)


@pytest.mark.usefixtures("fed")
def test_verify_says_which_file_is_damaged_with_its_exit_code(run, tmp_path):
    code, out, _ = run("archive", "verify", *HOME)
    assert (code, out.startswith("sound")) == (0, True)
    path = tmp_path / "h" / "archive" / "000001.ndjson.gz"
    path.write_bytes(path.read_bytes()[:-9])
    code, out, _ = run("archive", "verify", *HOME)
    assert (code, "damaged: 000001.ndjson.gz" in out) == (1, True)


@pytest.mark.slow
@pytest.mark.usefixtures("fed")
def test_compacted_it_is_parquet_by_product_and_originals_may_go(run, tmp_path):
    code, out, _ = run("archive", "compact", *HOME, "--json")
    assert code == 0
    done = json.loads(out)
    files = list((tmp_path / "h" / "parquet").rglob("product=BTC-USD/**/*.parquet"))
    rows = pl.concat(pl.read_parquet(path, hive_partitioning=False) for path in files)
    assert len(rows) == sum(done["events"].values())
    code, out, _ = run("archive", "compact", *HOME)
    assert (code, "0 files compacted" in out, "The originals are kept" in out) == (0, True, True)
    (tmp_path / "h" / "archive" / "000001.ndjson.gz").unlink()
    assert run("archive", "verify", *HOME)[0] == 0
    code, out, _ = run("archive", "verify", *HOME, "--out", "elsewhere")
    assert (code, "it is gone" in out) == (1, True)


@pytest.mark.parametrize("verb", ["list", "verify", "compact"])
def test_without_an_archive_one_line_says_what_to_do(run, verb):
    code, out, err = run("archive", verb, *HOME)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "there is no archive" in err
