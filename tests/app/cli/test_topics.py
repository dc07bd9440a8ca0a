"""Topics: made once with what they promise, listed, and their records shown."""

import base64
import json

import pytest

from barograph.cases.churn import STREAM
from barograph.log import open_log
from barograph.log.topics import TOPICS
from barograph.types import Message


@pytest.fixture
def topics(run):
    """Call `topics VERB …` on one home: the topics of its answer by name."""

    def call(*words):
        code, out, err = run("topics", *words, "--home", "h", "--json")
        assert (code, err) == (0, "")
        return {topic["name"]: topic for topic in json.loads(out)["topics"]}

    return call


def test_all_topics_of_market_and_cases_are_made_with_their_promises(topics):
    made = topics("create", "--partitions", "5")
    assert set(made) == {*(topic.name for topic in TOPICS), STREAM.source, STREAM.target,
                         STREAM.dead_letters}  # fmt: skip
    assert {topic["partitions"] for topic in made.values()} == {1, 5}
    assert made["ticks.deadletter"]["partitions"] == 1
    assert made["ticks.raw"]["retention_s"] == 30 * 86_400
    assert topics("create", "--partitions", "7") == made  # what is there stays
    assert topics("list") == made


def test_the_topics_of_one_case_are_made_alone(topics):
    assert set(topics("create", "--case", "churn")) == {
        STREAM.source, STREAM.target, STREAM.dead_letters,
    }  # fmt: skip


def test_retention_can_be_changed_and_lifted(topics):
    topics("create", "ticks.raw", "--partitions", "2")
    changed = topics("create", "ticks.raw", "--retention-s", "60", "--retention-bytes", "-1")
    assert (changed["ticks.raw"]["retention_s"], changed["ticks.raw"]["retention_bytes"]) == (
        60,
        None,
    )
    assert changed["ticks.raw"]["partitions"] == 2
    assert topics("create", "ticks.raw")["ticks.raw"]["retention_s"] == 60


def test_a_compacted_topic_has_no_retention_even_where_the_house_has_one(topics):
    made = topics("create", "ticks.features", "--compacted")["ticks.features"]
    assert (made["compacted"], made["retention_s"], made["retention_bytes"]) == (True, None, None)
    assert topics("create", "ticks.features")["ticks.features"] == made


REFUSED = {
    "other partitions": ("create", "here", "--partitions", "2"),
    "compaction afterwards": ("create", "here", "--compacted"),
    "copies on one machine": ("create", "there", "--replication", "2"),
    "a bad name": ("create", "a topic"),
    "an unknown topic": ("dump", "there"),
    "no place": ("dump", "here", "--from", "yesterday"),
    "an offset that is not there": ("dump", "here", "--from", "7"),
    "a partition that is not there": ("dump", "here", "--partition", "1"),
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_in_one_line(run, words):
    run("topics", "create", "here", "--partitions", "1", "--home", "h")
    code, out, err = run("topics", *words, "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("barograph: ")


def test_nothing_is_made_by_looking(run, tmp_path):
    assert run("topics", "list", "--home", "h")[0] == 2
    assert not (tmp_path / "h").exists()


@pytest.mark.slow
def test_records_are_dumped_with_their_places_and_values_as_they_are(run, tmp_path):
    run("topics", "create", "t", "--partitions", "1", "--home", "h")
    log = open_log(tmp_path / "h")
    log.append(
        [
            Message("t", "a", b'{"price": 1.10}', {"colour": "red"}),
            Message("t", "b", b"\xff"),
            Message("t", "a", b"2"),
        ]
    )
    log.close()

    def dump(*words):
        code, out, err = run("topics", "dump", "t", "--home", "h", *words)
        assert (code, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]

    first, second, third = dump()
    assert (first["topic"], first["partition"], first["offset"], first["key"]) == ("t", 0, 0, "a")
    # exact: written and read back
    assert (first["value"], first["headers"]["colour"]) == ({"price": 1.10}, "red")
    assert base64.b64decode(second["value"]["base64"]) == b"\xff"
    assert dump("--limit", "1") == [first]
    assert dump("--from", "newest", "--limit", "2") == [second, third]
    assert dump("--from", "1", "--limit", "1") == [second]
    assert dump("--key", "a") == [first, third]
    assert dump("--key", "a", "--from", "newest", "--limit", "1") == [third]
