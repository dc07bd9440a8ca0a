"""The dataset of a series from what its log keeps."""

from contextlib import closing

import msgspec
import polars as pl
import pytest

import queues
from barograph import codec
from barograph.cases.churn import CHURN
from barograph.errors import BadInputError, TooLittleDataError, UnknownTopicError
from barograph.log import open_log
from barograph.training import dataset, series_dataset
from barograph.types import NS_PER_S, Message
from queues import LIVE, QUEUES


@pytest.fixture
def log(tmp_path):
    with closing(open_log(tmp_path / "log")) as opened:
        opened.create(queues.source_topic())
        yield opened


def test_it_has_the_rows_that_the_machine_makes_and_their_outcomes(log, tmp_path):
    messages = list(queues.minutes(300, seed=1))
    log.append([*messages, Message(LIVE.source, "north", b"{")])
    seen = []
    made = series_dataset.build(log, tmp_path, QUEUES, progress=seen.append)
    assert (made.rows, made.events, made.dead_letters) == (600, {"record": 601}, {"wrong_shape": 1})
    assert seen[-1] == 601
    read = dataset.read(tmp_path, QUEUES)
    assert read.data_hash == made.data_hash
    north = read.frame.filter(pl.col("product") == "north")
    waiting = [
        msgspec.json.decode(each.value, type=queues.Minute).waiting
        for each in messages
        if each.key == "north"
    ]
    assert north["waiting"].to_list() == waiting
    assert north["outcome"].to_list() == [*waiting[10:], *[None] * 10]
    assert north["waiting_mean_10min"].null_count() == 9


def test_how_keys_lie_in_partitions_changes_nothing(log, tmp_path):
    log.append(queues.minutes(100, seed=1))
    made = series_dataset.build(log, tmp_path, QUEUES)
    with closing(open_log(tmp_path / "other")) as other:
        other.create(queues.source_topic(partitions=1))
        other.append(queues.minutes(100, seed=1, queues=("south", "north")))
        again = series_dataset.build(other, tmp_path, QUEUES)
    assert (again.data_hash, again.table_sha256) == (made.data_hash, made.table_sha256)


def test_where_nothing_can_be_read_there_is_no_dataset(log, tmp_path):
    with pytest.raises(TooLittleDataError, match=r"0 records of queues.raw"):
        series_dataset.build(log, tmp_path, QUEUES)
    log.append([Message(LIVE.source, "north", codec.encode({"queue": "north"}))])
    with pytest.raises(TooLittleDataError, match=r"1 records of queues.raw"):
        series_dataset.build(log, tmp_path, QUEUES)
    with closing(open_log(tmp_path / "empty")) as empty, pytest.raises(UnknownTopicError):
        series_dataset.build(empty, tmp_path, QUEUES)


def test_rows_up_to_a_time_are_those_of_a_log_that_ended_then(log, tmp_path):
    messages = list(queues.minutes(300, seed=1))
    log.append(messages)
    until_s = (queues.START_MINUTE + 200) * 60
    early = series_dataset.build(log, tmp_path / "a", QUEUES, until_s=until_s)
    with closing(open_log(tmp_path / "other")) as other:
        other.create(queues.source_topic())
        other.append([each for each in messages if minute_of(each) * 60 < until_s])
        alone = series_dataset.build(other, tmp_path / "b", QUEUES)
    assert (early.rows, alone.rows) == (400, 400)
    assert (early.data_hash, early.table_sha256) == (alone.data_hash, alone.table_sha256)


def minute_of(message):
    return msgspec.json.decode(message.value, type=queues.Minute).minute


def test_a_training_as_at_a_time_takes_no_rows_that_were_not_known_then(log, tmp_path):
    log.append(queues.minutes(100, seed=1))
    series_dataset.build(log, tmp_path, QUEUES)
    rows = dataset.read(tmp_path, QUEUES)
    known_ns = (max(rows.frame["second"]) + 1) * NS_PER_S
    dataset.refuse_later_rows(QUEUES, rows, known_ns)
    dataset.refuse_later_rows(QUEUES, rows, None)
    earlier_ns = known_ns - 1
    with pytest.raises(BadInputError, match="Build it again with --until"):
        dataset.refuse_later_rows(QUEUES, rows, earlier_ns)
    series_dataset.build(log, tmp_path, QUEUES, until_s=earlier_ns // NS_PER_S)
    dataset.refuse_later_rows(QUEUES, dataset.read(tmp_path, QUEUES), earlier_ns)
    dataset.refuse_later_rows(CHURN, rows, 0)
