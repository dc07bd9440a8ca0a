"""What is found in real homes: none, sound ones, and damaged ones."""

import errno
import os
import shutil
import socket
import time
import uuid
from contextlib import closing

import pytest

from barograph.app.runs.doctor import home
from barograph.app.runs.doctor.examination import State
from barograph.codec import encode
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.feed.recover import recover
from barograph.log import Topic, open_log
from barograph.log.topics import STATUS, ensure_topics
from barograph.registry.registry import Registry
from barograph.types import NS_PER_S, FeedStatus, Message
from homes import Home, recorded
from recorded_sessions import session
from registered_models import facts_of, graph


@pytest.fixture
def logged(tmp_path):
    with closing(open_log(tmp_path)) as log:
        log.create(Topic(name="t", partitions=1))
        log.append([Message(topic="t", key="k", value=b"x" * 500) for _ in range(2000)])
    return tmp_path


def test_a_fresh_machine_is_told_what_to_do_next(tmp_path):
    first, second = home.place(tmp_path / "new" / "home")
    assert (first.state, second.state) == (State.WARNING, State.OK)
    assert "`barograph demo`" in first.cure
    assert not list(home.log(tmp_path / "new", tmp_path / "new" / "log.sqlite"))
    assert not list(home.archive(tmp_path / "new"))
    assert not list(home.models(tmp_path / "new", "spikes", None))
    assert not (tmp_path / "new").exists()


def test_a_file_in_place_of_a_home_is_a_problem(tmp_path):
    (tmp_path / "file").touch()
    (found,) = home.place(tmp_path / "file")
    assert (found.state, "no directory" in found.text) == (State.PROBLEM, True)


@pytest.mark.parametrize(
    ("changes", "name", "state"),
    [
        ({"f_bavail": 1}, "disk", State.PROBLEM),
        ({"f_favail": 0}, "disk", State.PROBLEM),
        ({"f_bavail": 200_000_000 // 4096}, "disk", State.WARNING),
        ({"f_favail": 5}, "disk", State.WARNING),
    ],
)
def test_a_disk_that_is_full_or_nearly_is_named(tmp_path, monkeypatch, changes, name, state):
    real = os.statvfs(tmp_path)
    fields = {field: getattr(real, field) for field in dir(real) if field.startswith("f_")}
    fields |= {"f_frsize": 4096, "f_files": 1000} | changes
    monkeypatch.setattr(os, "statvfs", lambda _path: type("Room", (), fields))
    found = {each.name: each for each in home.place(tmp_path)}
    assert found[name].state is state
    assert found[name].cure


def test_a_home_that_may_not_be_written_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = {each.name: each for each in home.place(tmp_path)}
    assert found["disk"].state is State.PROBLEM
    assert os.strerror(errno.EACCES) in found["disk"].text


def test_a_sound_log_is_well(logged):
    (found,) = home.log(logged, logged / "log.sqlite")
    assert (found.state, found.text.startswith("sound, ")) == (State.OK, True)


@pytest.mark.parametrize("archived", [True, False])
def test_a_damaged_log_is_made_again_from_the_archive_where_there_is_one(logged, archived):
    if archived:
        (logged / "archive").mkdir()
    (logged / "log.sqlite").write_bytes(b"no log " * 500)
    (found,) = home.log(logged, logged / "log.sqlite")
    assert found.state is State.PROBLEM
    assert ("barograph recover" in found.cure) == archived


def test_a_log_that_is_gone_is_a_problem_where_its_archive_is_there(tmp_path):
    (tmp_path / "archive").mkdir()
    (found,) = home.log(tmp_path, tmp_path / "log.sqlite")
    assert (found.state, "recover" in found.cure) == (State.PROBLEM, True)


def test_a_manifest_that_is_none_is_a_problem_of_the_archive(tmp_path):
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "000001.ndjson.gz").write_bytes(b"")
    (archive / "000001.manifest.json").write_text("{")
    (found,) = home.archive(tmp_path)
    assert found.state is State.PROBLEM
    assert found.cure


@pytest.mark.slow
def test_champions_are_loaded_expire_and_are_missed(made_home, tmp_path):
    place = shutil.copytree(made_home, tmp_path / "home")
    registry, onnx = Registry(place), graph()
    (found,) = home.models(place, "spikes", FEATURE_SET_HASH)
    assert (found.state, "`barograph train --case spikes" in found.cure) == (State.WARNING, True)
    registry.register("spikes", onnx, facts_of(onnx, expires_time_ns=time.time_ns() + 10**15))
    registry.register("spikes", onnx, facts_of(onnx, expires_time_ns=1))
    (found,) = home.models(place, "spikes", FEATURE_SET_HASH)
    assert found.cure.startswith("`barograph models promote 2 --home")
    registry.promote("spikes", 1, "good")
    (found,) = home.models(place, "spikes", FEATURE_SET_HASH)
    assert (found.state, found.text) == (State.OK, "champion spikes/1 loads")
    registry.promote("spikes", 2, "old")
    (found,) = home.models(place, "spikes", FEATURE_SET_HASH)
    assert (found.state, "expired" in found.text) == (State.WARNING, True)
    (found,) = home.models(place, "spikes", "another set")
    assert found.state is State.PROBLEM
    assert found.cure


def test_a_registry_that_cannot_be_read_is_a_problem(made_home, tmp_path):
    place = shutil.copytree(made_home, tmp_path / "home")
    (database,) = [path for path in place.rglob("*.db") if path.is_file()]
    database.write_bytes(b"no registry " * 500)
    (found,) = home.models(place, "spikes", None)
    assert found.state is State.PROBLEM
    assert found.cure


def test_what_the_archive_has_and_the_log_does_not_know_is_named_with_its_cure(tmp_path):
    """A log that was restored from an older copy; `recover` then takes in what it lacks."""
    place = tmp_path / "home"
    assert not list(home.recovery(place, str(place)))
    fed = Home(place)
    fed.replay(recorded(tmp_path, *session(0, 30), name="first.ndjson"))
    fed.log.close()
    (found,) = home.recovery(place, str(place))
    assert (found.state, found.cure) == (State.OK, "")
    older = shutil.copy(place / "log.sqlite", tmp_path / "older")
    fed.log = open_log(place)
    fed.replay(recorded(tmp_path, *session(40, 30), name="second.ndjson"))
    fed.log.close()
    for path in place.glob("log.sqlite-*"):
        if path.is_file():
            path.unlink()
    shutil.copy(older, place / "log.sqlite")
    before = {path: path.stat().st_mtime_ns for path in (place / "archive").rglob("*")}
    (found,) = home.recovery(place, str(place))
    assert (found.state, "1 file that the log does not know" in found.text) == (State.WARNING, True)
    assert found.cure.endswith(f"`barograph recover --home {place}`")
    assert {path: path.stat().st_mtime_ns for path in (place / "archive").rglob("*")} == before
    with closing(open_log(place)) as log:
        recover(log, place / "archive")
    (found,) = home.recovery(place, str(place))
    assert found.state is State.OK


def test_the_same_is_found_of_a_log_on_kafka_and_no_topic_is_made(kafka, tmp_path):
    """The cluster was lost; one that was set up in its place has nothing at the same address."""
    place, old, new = tmp_path / "home", uuid.uuid4().hex, uuid.uuid4().hex
    there = f"kafka://{kafka}/test-{new}"
    fed = Home(place, log=f"kafka://{kafka}/test-{old}")
    fed.replay(recorded(tmp_path, *session(0, 30), name="first.ndjson"))
    (found,) = home.recovery(place, fed.log.address)
    fed.log.close()
    assert (found.state, found.cure) == (State.OK, "")
    book = place / "archive" / "book.json"
    book.write_text(book.read_text().replace(old, new))
    (found,) = home.recovery(place, there)
    assert (found.state, "1 file that the log does not know" in found.text) == (State.WARNING, True)
    assert found.cure.endswith(f"`barograph recover --home {place} --log {there}`")
    with closing(open_log(there)) as log:
        assert log.topics() == []
        recover(log, place / "archive")
    (found,) = home.recovery(place, there)
    assert found.state is State.OK


@pytest.mark.slow
def test_of_brokers_that_do_not_answer_the_archive_says_nothing(tmp_path):
    pytest.importorskip("confluent_kafka")
    (tmp_path / "archive").mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert not list(home.recovery(tmp_path, f"kafka://127.0.0.1:{taken.getsockname()[1]}"))


@pytest.mark.parametrize(
    ("offset_ms", "age_s", "word"),
    [(-20.0, 5, "within 2 s"), (-9_000.0, 5, "9 s fast"), (9_000.0, 5, "9 s slow"),
     (None, 5, None), (-20.0, 7_200, None)],
)  # fmt: skip
def test_a_feed_that_writes_its_status_tells_how_the_clock_stands(tmp_path, offset_ms, age_s, word):
    assert home.clock(str(tmp_path), "coinbase", 0) is None
    now_ns = 1_790_000_000 * NS_PER_S
    status = FeedStatus(
        venue="coinbase", connection="c", dialect="exchange", products=("BTC-USD",),
        time_ns=now_ns - age_s * NS_PER_S, since_ns=0, frames=1, reconnects=0, queued=0,
        queue_full=0, open_holes=0, offset_median_ms=offset_ms,
    )  # fmt: skip
    with closing(open_log(tmp_path)) as log:
        ensure_topics(log)
        log.append([Message(STATUS, "coinbase", encode(status))])
    found = home.clock(str(tmp_path), "coinbase", now_ns)
    assert (found is None) == (word is None)
    assert word is None or word in found.text
    assert home.clock(str(tmp_path), "simulated", now_ns) is None
