"""When a case is trained again, by a record of facts, and whose turn that is."""

import os
import shutil
import time
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.log import Topic, open_log
from barograph.registry.registry import Registry
from barograph.training.due import (
    Due,
    TrainingState,
    due,
    due_now,
    newest_file_ns,
    newest_frame_ns,
    newest_record_ns,
    training_state,
    turn,
)
from barograph.types import Message
from registered_models import SECOND, facts_of, graph

HOUR = 3600 * 10**9
DAY = 24 * HOUR
NOW = 1_765_000_000 * 10**9
HOURS = st.integers(-200, 200).map(lambda hours: NOW + hours * HOUR)


def at(now_ns, every_h=24.0, heard_ns=NOW + 1000 * HOUR, **known):
    return due(TrainingState(heard_ns=heard_ns, **known), now_ns, every_h)


@given(HOURS, HOURS | st.none(), HOURS, st.sampled_from([1.0, 24.0, 168.0]))
def test_a_case_is_trained_every_so_often_and_in_the_hour_before_its_champion_expires(
    trained_ns, expires_ns, now_ns, every_h
):
    moments = [trained_ns + int(every_h * HOUR)]
    if expires_ns is not None and expires_ns - HOUR > trained_ns:
        moments.append(expires_ns - HOUR)
    verdict = at(now_ns, every_h, trained_ns=trained_ns, expires_ns=expires_ns)
    assert verdict.due == (now_ns >= min(moments))


@given(HOURS, HOURS, st.integers(1, 20))
def test_where_nothing_is_promoted_it_trains_once_a_day_and_once_more_for_the_expiry(
    trained_ns, expires_ns, days
):
    """A gate that decides again and again uses up the rows that it would need."""
    trainings, start_ns = 0, trained_ns
    for hour in range(1, 24 * days + 1):
        now_ns = start_ns + hour * HOUR
        if at(now_ns, trained_ns=trained_ns, expires_ns=expires_ns).due:
            trained_ns, trainings = now_ns, trainings + 1
    assert days - 1 <= trainings <= days + 1


@given(HOURS, HOURS | st.none(), HOURS | st.none(), HOURS)
def test_it_is_never_due_where_it_is_turned_off_or_nothing_came_since(
    trained_ns, expires_ns, heard_ns, now_ns
):
    known = {"trained_ns": trained_ns, "expires_ns": expires_ns}
    assert not at(now_ns, 0.0, heard_ns, **known).due
    assert not at(now_ns, heard_ns=None, **known).due
    if heard_ns is not None and heard_ns <= trained_ns:
        assert not at(now_ns, heard_ns=heard_ns, **known).due


def test_the_reason_is_given_in_words():
    made = "2025-12-06 05:46:40Z"
    assert at(NOW) == Due(due=True, why="there is no version yet")
    assert at(NOW, heard_ns=None).why == "there is nothing to train on yet"
    assert at(NOW, 0.0).why == "retrain_every_h is 0"
    assert at(NOW, heard_ns=NOW, trained_ns=NOW).why.endswith(f"newest version of {made}")
    waits = at(NOW + 1, trained_ns=NOW)
    assert waits.why == f"the newest version is of {made}, the next is due at 2025-12-07 05:46:40Z"
    assert at(NOW + DAY, trained_ns=NOW).why == f"the newest version is of {made}"
    expiring = at(NOW + 2 * HOUR, trained_ns=NOW, expires_ns=NOW + 3 * HOUR)
    assert expiring == Due(due=True, why="the champion may be used until 2025-12-06 08:46:40Z")


@pytest.fixture
def home(made_home, tmp_path):
    return shutil.copytree(made_home, tmp_path / "home")


def archived(home, seconds):
    """A file of an archive that grew last at some second."""
    path = home / "archive" / "000001.ndjson.gz"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    os.utime(path, (seconds, seconds))


@pytest.mark.slow
def test_the_state_of_a_case_follows_from_its_registry_and_what_came_last(home):
    registry, onnx = Registry(home), graph()
    assert newest_frame_ns(home) is None
    assert training_state(registry, "spikes", None) == TrainingState()
    archived(home, 1_765_000_000)
    assert newest_frame_ns(home) == NOW
    assert training_state(registry, "spikes", NOW) == TrainingState(heard_ns=NOW)
    registry.register("spikes", onnx, facts_of(onnx, expires_time_ns=SECOND + 7))
    registry.register("spikes", onnx, facts_of(onnx, created_time_ns=SECOND + 9))
    assert training_state(registry, "spikes", None) == TrainingState(trained_ns=SECOND + 9)
    registry.promote("spikes", 1, "gate")
    known = training_state(registry, "spikes", NOW)
    assert known == TrainingState(heard_ns=NOW, trained_ns=SECOND + 9, expires_ns=SECOND + 7)
    assert due_now(Registry(home), "spikes", None, 24.0).why == "there is nothing to train on yet"


def test_a_file_that_goes_meanwhile_is_none(tmp_path):
    archived(tmp_path, 1_765_000_000)
    kept = tmp_path / "archive" / "000001.ndjson.gz"
    assert newest_file_ns([tmp_path / "gone", kept]) == NOW
    assert newest_file_ns([tmp_path / "gone"]) is None


def test_of_a_topic_it_is_when_the_log_took_its_last_record(tmp_path):
    with closing(open_log(tmp_path)) as log:
        log.create(Topic(name="queues.raw", partitions=3))
        assert newest_record_ns(log, "queues.raw") is None
        before_ns = time.time_ns()
        log.append([Message("queues.raw", key, b"1") for key in ("a", "b", "c")])
        assert before_ns <= newest_record_ns(log, "queues.raw") <= time.time_ns()


def test_one_process_at_a_time_has_its_turn(tmp_path):
    with (
        turn(tmp_path, "spikes") as first,
        turn(tmp_path, "spikes") as another,
        turn(tmp_path, "churn") as of_another_case,
    ):
        assert (first, another, of_another_case) == (True, False, True)
    with turn(tmp_path, "spikes") as later:
        assert later


def test_a_home_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "datasets").write_text("a file in the way")
    with pytest.raises(BadInputError, match="datasets"), turn(tmp_path, "spikes"):
        pass
