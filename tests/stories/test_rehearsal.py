"""The rehearsal as a user runs it, on either log: all is counted, timed and shown."""

import json
import uuid
from contextlib import closing
from functools import cache

import pytest

from barograph.cases.churn import STREAM, invent
from barograph.log import open_log
from barograph.pipeline.case_topics import ensure_stream
from barograph.types import Message
from log_consumer import contents
from refusals import line_of
from verb_processes import Life
from waiting import until

CUSTOMERS, RATE, SECONDS = 1500, 40, 8
LIMIT_S = 240.0
STREAMED = RATE * SECONDS // 2
FAULTS = {
    "missing_field", "not_a_number", "out_of_range", "unknown_category", "too_long", "not_json",
}  # fmt: skip


@pytest.fixture(params=["embedded", "kafka"])
def address(request, tmp_path):
    """A log of its own for each test."""
    if request.param == "embedded":
        return f"sqlite:///{tmp_path / 'log.sqlite'}"
    return f"kafka://{request.getfixturevalue('kafka')}/test-{uuid.uuid4().hex}"


@cache
def people():
    return b"".join(record + b"\n" for record in invent(CUSTOMERS, 3))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "people.ndjson"
    path.write_bytes(people())
    return path


def rehearse(tmp_path, *words):
    """The command, begun; what is given twice counts as it is given in `words`."""
    paths = ("--home", tmp_path / "home", "--reports", tmp_path / "reports")
    pace = ("--rate", RATE, "--seconds", SECONDS)
    return Life("rehearse", "--case", "churn", *paths, *pace, *words, BAROGRAPH_FOLDS="2")


@pytest.mark.operations
def test_all_is_counted_and_shown_also_after_what_an_interrupted_one_left(address, file, tmp_path):
    with closing(open_log(address)) as log:
        ensure_stream(log, STREAM)
        for value in invent(7, 4):
            log.append([Message(STREAM.source, "INVENTED-000001", value)])
    summary = json.loads(rehearse(tmp_path, file, "--log", address, "--json").answer(LIMIT_S))
    assert (summary["ok"], summary["problems"], summary["invented_records"]) == (True, [], False)
    promoted = summary["training"]["gate"]["decision"]["promote"]
    assert (summary["champion"], promoted) == ("churn/1", True)
    stream, batch = summary["stream"], summary["batch"]
    assert stream["producer"]["sent"] == stream["records"] == STREAMED + len(FAULTS)
    assert stream["consumer"]["records"] == stream["records"] + stream["ahead"]
    assert stream["dead_letters"] == dict.fromkeys(FAULTS, 1)
    assert stream["predictions"] == stream["latency"]["count"] == STREAMED
    assert batch["predictions"] == batch["consumer"]["values"] == batch["records"] == CUSTOMERS
    for mode in (stream, batch):
        assert mode["verdicts"] == {"PREDICTED": mode["predictions"]}
        assert 0 < mode["latency"]["p50_ms"] <= mode["latency"]["p99_ms"]
        assert mode["inference"]["mean_us"] > 0
    assert {each["fault"] for each in summary["refused"]} == FAULTS
    place = tmp_path / "reports" / "churn"
    assert json.loads((place / "summary.json").read_bytes()) == summary
    page = (place / "index.html").read_text(encoding="utf-8")
    assert len(summary["samples"]) == 10
    assert [each["key"] for each in summary["samples"] if each["key"] not in page] == []
    assert_traced(address, summary["samples"])


def assert_traced(address, samples):
    """Each sample stands in the log where it says, under its key."""
    with closing(open_log(address)) as log:
        for sample in samples:
            for what in ("record", "prediction"):
                place, _, offset = sample[f"{what}_place"].partition("@")
                topic, _, partition = place.partition("/")
                (record,) = log.read(topic, int(partition), int(offset), 1)
                assert (record.key, record.offset) == (sample["key"], int(offset))
                prediction = json.loads(record.value)
                shown = sample[what] if what == "prediction" else json.loads(sample[what])
                assert {name: prediction[name] for name in shown} == shown


@pytest.mark.operations
def test_what_somebody_else_sends_meanwhile_is_reported_and_the_answer_is_no(file, tmp_path):
    # Long enough that the stranger comes while the stream is under way, also on a busy machine.
    life = rehearse(tmp_path, file, "--seconds", 5 * SECONDS)
    with closing(open_log(tmp_path / "home")) as log:
        ensure_stream(log, STREAM)
        until(lambda: not life.is_alive() or under_way(log), LIMIT_S)
        stranger = next(invent(1, 9))
        log.append([Message(STREAM.source, "INVENTED-000001", stranger)])
    code, out, err = life.end(LIMIT_S)
    assert (code, b"Traceback" in err) == (1, False), err.decode()
    assert "stream: 2 invented" in " ".join(out.decode().split())
    assert b"nothing lost" not in out
    assert "do not add up" in (tmp_path / "reports" / "churn" / "index.html").read_text("utf-8")


def under_way(log):
    """Whether more than the record that goes ahead was predicted."""
    return sum(len(contents(log, STREAM.target, number)) for number in range(3)) > 5


@pytest.mark.parametrize(
    ("words", "message"),
    {
        "no case of records": (("--case", "spikes"), "it has no topic of records"),
        "nothing to send": (("people.csv",), "No such file"),
        "no rate": (("--rate", "0"), "it is not above 0"),
        "no time": (("--seconds", "0"), "it is not above 0"),
        "a folder that is a file": (("people.ndjson", "--reports", "people.ndjson"), "--reports"),
        "a log of no kind": (("--log", "ftp://x"), "is not a log"),
    }.values(),
)
@pytest.mark.usefixtures("file")
def test_what_cannot_be_is_refused_in_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in line_of(rehearse(tmp_path, *words).end())
    assert not (tmp_path / "reports").exists()


def test_no_records_are_invented_for_a_case_that_has_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "import dataclasses\nfrom barograph.cases.churn import CHURN\n"
        "MINE = dataclasses.replace(CHURN, name='mine')\n"
    )
    code, out, err = Life("rehearse", "--case", "mine:MINE").end()
    assert (code, out) == (2, b"")
    assert b"Name a FILE of records" in err
