"""History moved to a real S3 server, and brought back to another home to the same dataset."""

import json
import os
import signal
from unittest.mock import patch

import httpx
import pytest

from barograph.archive import object_store
from barograph.archive.object_store import open_store
from barograph.files.lines import file_sha256
from barograph.registry.s3_files import s3_access, utc_now
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from programs import missing
from s3_servers import BIN, BUCKET, s3_server, variables
from verb_processes import Life
from waiting import until

pytest.importorskip("s3fs", reason="the extra lake is not installed")
pytestmark = [
    pytest.mark.operations,
    pytest.mark.unattended,  # where the server is installed
    pytest.mark.skipif(not BIN.is_dir(), reason="no S3 server is installed: `make dvc`"),
]

URL = f"s3://{BUCKET}/history of ann"
FRAMES = "archive/000002.ndjson.gz"


@pytest.fixture
def s3(tmp_path, monkeypatch):
    (tmp_path / "s3").mkdir()
    with s3_server(tmp_path / "s3") as address:
        for name, text in variables(address).items():
            monkeypatch.setenv(name, text)
        yield address


@pytest.fixture
def home(tmp_path):
    """A home whose archive has two files of twenty minutes each."""
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, 1_750_000_000 * 10**9)
    for name in ("first", "second"):
        path = tmp_path / f"{name}.ndjson"
        path.write_bytes(b"".join(frame.data + b"\n" for frame in market.advance(1200)))
        Life("replay", path, "--no-stages", "--home", tmp_path / "home").answer()
    return tmp_path / "home"


def asked(method, name, content=b""):
    """Ask the bucket behind the back of whoever uses it."""
    access = s3_access("the test")
    folder = f"s3://{BUCKET}/history of ann"
    url, question = access.request(method, folder, name, content, utc_now())
    answer = httpx.request(method, url, headers=dict(question.headers), content=content, timeout=60)
    return answer.raise_for_status()


def dataset_of(home):
    Life("dataset", "--home", home).answer()
    (table,) = home.rglob("dataset*/**/*.parquet")
    return table.read_bytes()


def refused(*words):
    """The one line of a verb that is refused."""
    code, out, err = Life(*words).end()
    assert (code, out, err.count(b"\n")) == (2, b"", 1), err.decode()
    return err.decode()


def pushed(home, *more):
    return json.loads(Life("archive", "push", URL, "--home", home, "--json", *more).answer())


@pytest.mark.usefixtures("s3")
def test_pushed_pulled_and_moved_it_gives_the_same_dataset(home, tmp_path):
    rows = dataset_of(home)
    Life("archive", "compact", "--home", home).answer()
    done = pushed(home)
    assert (done["files"], done["before"], done["lake"]["before"]) == (2, 0, 0)
    done = pushed(home)
    assert (done["files"], done["before"], done["lake"]["files"]) == (0, 2, 0)
    (home / "archive" / "pushed.json").unlink()
    assert pushed(home)["before"] == 2
    assert len(pushed(home, "--remove")["removed"]) == 2
    assert not list((home / "archive").glob("*.gz"))
    assert Life("archive", "verify", "--home", home).answer().startswith(b"sound")

    fresh = tmp_path / "fresh"
    Life("archive", "pull", URL, "--home", fresh).answer()
    assert Life("archive", "verify", "--home", fresh).answer().startswith(b"sound")
    assert dataset_of(fresh) == rows
    Life("recover", "--home", fresh).answer()
    Life("featurize", "--home", fresh).answer()
    Life("verify", "--archive", "--home", fresh).answer()
    Life("archive", "pull", URL, "--home", home).answer()
    assert dataset_of(home) == rows


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("engine", [("local", "--workers", 2), ("spark:local[2]",)])
def test_workers_read_the_lake_in_the_bucket_and_leave_there_what_they_compute(
    home, tmp_path, engine
):
    """As where machines share no folder: home is the caller's alone."""
    if engine[0].startswith("spark"):
        pytest.importorskip("pyspark", reason="the extra `spark` is not installed")
        if reason := missing("java"):
            pytest.skip(reason)
    rows = dataset_of(home)
    Life("archive", "compact", "--home", home).answer()
    pushed(home)
    fresh = tmp_path / "fresh"
    places = ("--lake", f"{URL}/parquet", "--scratch", f"{URL}/scratch")
    Life("dataset", "--engine", *engine, *places, "--home", fresh).answer()
    (table,) = fresh.rglob("dataset*/**/*.parquet")
    assert table.read_bytes() == rows
    assert not [*fresh.rglob("*.npy"), *fresh.rglob("hour=*")]
    assert not open_store(URL).sizes("scratch")
    assert "it is not there" in refused(
        "dataset", "--engine", "local", "--lake", f"{URL}/none", "--home", fresh
    )


def test_what_cannot_be_used_is_one_line_with_a_cure(s3, home, tmp_path, monkeypatch):
    nowhere = refused("archive", "push", "s3://no-such-bucket/x", "--home", home)
    assert "there is no such bucket. Make the bucket" in nowhere
    pushed(home)
    fresh = tmp_path / "fresh"
    content = asked("GET", FRAMES).content
    for damaged in (content[:-1], content[:-1] + b"x"):
        asked("PUT", FRAMES, damaged)
        line = refused("archive", "pull", URL, "--home", fresh)
        assert f"{URL}/{FRAMES}" in line
        assert "push it again" in line
    assert [path.name for path in (fresh / "archive").glob("*.gz")] == ["000001.ndjson.gz"]
    Life("archive", "compact", "--home", home).answer()
    assert len(pushed(home, "--remove")["removed"]) == 2  # the damaged one was sent again
    assert asked("GET", FRAMES).content == content
    Life("archive", "pull", URL, "--home", fresh).answer()

    httpx.post(f"{s3}/moto-api/reset-auth", content=b"0").raise_for_status()
    line = refused("archive", "pull", URL, "--home", tmp_path / "third")
    assert "it refuses us" in line
    assert "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY" in line
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "Check the address and AWS_ENDPOINT_URL" in refused(
        "archive", "pull", URL, "--home", tmp_path / "third"
    )
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "AWS_SECRET_ACCESS_KEY is not set" in refused("archive", "push", URL, "--home", home)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_push_that_is_killed_or_stopped_goes_on(s3, home, tmp_path, number):
    life = Life("archive", "push", URL, "--home", home)
    until(lambda: "<Key>" in httpx.get(f"{s3}/{BUCKET}?list-type=2").text)
    os.kill(life.pid, number)
    code, _, err = life.end()
    assert code in {0, 130, -signal.SIGKILL}
    assert err == b""
    pushed(home)
    Life("archive", "pull", URL, "--home", tmp_path / "fresh").answer()
    for name in ("000001.ndjson.gz", "000002.ndjson.gz"):
        here, there = (place / "archive" / name for place in (home, tmp_path / "fresh"))
        assert here.read_bytes() == there.read_bytes()


@pytest.mark.usefixtures("s3")
def test_what_goes_in_parts_is_proven_by_reading_it_and_all_else_by_the_hash_of_s3(tmp_path):
    """S3 keeps a hash of what came in one piece, and a hash of hashes of what came in parts."""
    store = open_store(f"s3://{BUCKET}/parts")
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(os.urandom(11 << 20))
    small.write_bytes(b"x" * 1000)
    with patch.object(object_store, "_PART_BYTES", 5 << 20):
        for path, read_back in ((large, True), (small, False)):
            digest = file_sha256(path)
            with patch.object(store, "_chunks", wraps=store._chunks) as chunks:
                store.put(path, path.name, digest)
                assert store.proves(path.name, digest, path.stat().st_size)
                assert not store.proves(path.name, "0" * 64, path.stat().st_size)
            assert bool(chunks.call_count) == read_back
            assert store.fetch(path.name, tmp_path / "back") == digest
