"""The board of records: the last predictions, their rate, latency and verdicts."""

import msgspec
import pytest

from barograph import codec
from barograph.app.web import record_board
from barograph.app.web.record_board import RecordBoard
from barograph.types import APPENDED_TIME, Record, RecordPrediction, Verdict
from customers import CUSTOMERS, STREAM

NS = 10**9
NOW_NS = 1_790_000_000 * NS


def scored(key, probability, offset=0, at_ns=NOW_NS):
    value = RecordPrediction(
        case="customers", key=key, probability=probability, label=(probability or 0) > 0.5,
        verdict=Verdict.PREDICTED if probability is not None else Verdict.NO_MODEL,
        threshold=0.5, model="customers/1",
    )  # fmt: skip
    return Record(STREAM.target, 0, offset, key, codec.encode(value), {APPENDED_TIME: str(at_ns)})


def came(key, at_ns):
    return Record(STREAM.source, 0, 0, key, b"{}", {APPENDED_TIME: str(at_ns)})


@pytest.fixture
def board():
    board = RecordBoard(CUSTOMERS)
    board.places.know(STREAM.target, [0])
    return board


def test_a_prediction_is_an_event_with_its_latency(board):
    [event] = board.receive([came("ann", NOW_NS - 3_000_000), scored("ann", 0.7)])
    answer = msgspec.json.decode(event.data)
    assert (event.id, event.key) == ("1_-", "ann")
    assert (answer["label"], answer["latency_ms"]) == (True, 3.0)
    assert board.latest("ann").probability == 0.7  # exact: what was written
    assert board.latest("bob") is None


def test_the_status_counts_what_was_predicted_lately(board):
    board.receive([scored("old", 0.95, 0, NOW_NS - 100 * NS), scored("ann", 0.05, 1)])
    board.receive([scored("bob", 1.0, 2), scored("cid", None, 3)])
    records = board.status(NOW_NS).records
    assert (records.predictions, records.labelled) == (4, 2)
    assert records.per_s == pytest.approx(3 / 60, abs=1e-3)
    assert records.histogram == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert records.verdicts == {"PREDICTED": 3, "NO_MODEL": 1}


def test_only_the_last_are_kept(board, monkeypatch):
    monkeypatch.setattr(record_board, "MAX_LAST", 3)
    board.receive([scored(name, 0.5, n) for n, name in enumerate("abcde")])
    board.receive([came(name, 1) for name in "abcde"])
    assert board.keys() == ["e", "d", "c"]
    assert board.predictions == 5


def test_what_comes_later_of_the_time_before_makes_the_same_board(monkeypatch):
    monkeypatch.setattr(record_board, "MAX_LAST", 4)
    said = [scored(name, 0.5, n) for n, name in enumerate("abacdefa")]
    letters = [Record(STREAM.dead_letters, 0, n, "a", b"{}", {}) for n in range(3)]
    whole, later = RecordBoard(CUSTOMERS), RecordBoard(CUSTOMERS)
    whole.receive([*letters, *said])
    later.receive([*letters[2:], *said[6:]])
    for records in (said[3:6], letters[:2], said[:3]):
        later.take_older(records)
    assert later.keys() == whole.keys() == ["a", "f", "e", "d"]
    assert (later.predictions, whole.predictions) == (8, 8)
    records = later.status(NOW_NS).records
    assert (records.verdicts, records.dead_letters) == ({"PREDICTED": 4}, {"unreadable": 3})


def test_what_cannot_be_read_is_no_prediction(board):
    broken = Record(STREAM.target, 0, 0, "a", b"{}", {})
    letter = Record(STREAM.dead_letters, 0, 0, "a", b"{}", {})
    assert board.receive([broken, letter]) == []
    assert board.answer(broken) is None
    assert board.status(NOW_NS).records.dead_letters == {"unreadable": 1}
