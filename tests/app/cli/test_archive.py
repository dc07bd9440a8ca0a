"""The archive by the command line: listed, verified, made Parquet, moved and brought back."""

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


@pytest.mark.slow
@pytest.mark.usefixtures("fed")
def test_moved_away_the_archive_is_sound_and_comes_back_to_any_home(run, tmp_path):
    run("archive", "compact", *HOME)
    frames = tmp_path / "h" / "archive" / "000001.ndjson.gz"
    original = frames.read_bytes()
    code, out, err = run("archive", "push", "store", *HOME, "--remove", "--json")
    assert (code, err) == (0, "")
    done = json.loads(out)
    assert (done["files"], done["removed"], frames.exists()) == (1, [frames.name], False)
    code, out, _ = run("archive", "verify", *HOME, "--out", "elsewhere")
    assert (code, "1 of them pushed" in out) == (0, True)
    code, out, err = run("dataset", *HOME)
    assert (code, "`barograph archive pull URL`" in err) == (2, True)
    code, out, _ = run("archive", "push", "store", *HOME)
    assert (code, "nothing sent to" in out) == (0, True)
    for home in (HOME, ("--home", "fresh")):
        code, out, _ = run("archive", "pull", "store", *home, "--json")
        assert (code, json.loads(out)["files"]) == (0, 1)
        assert (tmp_path / home[1] / "archive" / frames.name).read_bytes() == original
    for name in ("ndjson.gz", "manifest.json"):
        (tmp_path / "store" / "archive" / f"000001.{name}").unlink()
    frames.unlink()
    code, out, _ = run("archive", "push", "store", *HOME, "--json")
    assert (code, json.loads(out)["lost"]) == (1, [frames.name])


@pytest.mark.usefixtures("fed")
def test_a_lake_that_is_named_and_not_there_is_refused_before_anything_is_sent(run, tmp_path):
    code, out, err = run("archive", "push", "store", "--lake", "none", *HOME)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "archive compact --out none" in err
    assert not (tmp_path / "store").exists()
    assert run("archive", "compact", "--out", "none", *HOME)[0] == 0
    assert run("archive", "push", "store", "--lake", "none", *HOME)[0] == 0
    assert (tmp_path / "store" / "parquet" / "index.parquet").exists()


@pytest.mark.parametrize("verb", ["list", "verify", "compact", "push"])
def test_without_an_archive_one_line_says_what_to_do(run, verb):
    code, out, err = run("archive", verb, *(["store"] if verb == "push" else []), *HOME)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "there is no archive" in err
