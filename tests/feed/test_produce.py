"""The producer: every record of a file once and in order, whatever happens in between."""

import hashlib
import json
import os
import uuid
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.cases.record_file import lines
from barograph.cases.spikes import SPIKES
from barograph.errors import (
    BadInputError,
    FileChangedError,
    ReplacedProducerError,
    UnknownTopicError,
)
from barograph.feed.produce import PRODUCED_TIME, Sending, dry_run, produce
from barograph.log import open_log
from barograph.pipeline.case_topics import ensure_stream
from barograph.types import NS_PER_S
from subscribers import CONTRACT, STREAM, SUBSCRIBERS, subscriber, table


@pytest.fixture
def log(tmp_path):
    opened = open_log(tmp_path / "home")
    ensure_stream(opened, STREAM)
    yield opened
    opened.close()


@pytest.fixture
def ten(tmp_path):
    return table(tmp_path / "ten.csv", map(subscriber, range(10)))


def batches(size):
    return Sending(mode="batch", batch_size=size)


def sent(log):
    """(key, value) of all records; by key, as the log keeps them, and by the order of a key."""
    return sorted(
        (
            (record.key, record.value)
            for extent in log.extents(STREAM.source)
            for record in log.read(STREAM.source, extent.partition, extent.oldest, 10**6)
        ),
        key=lambda pair: pair[0],
    )


def test_each_row_is_sent_under_its_key_as_the_contract_has_it(log, ten):
    done = produce(log, SUBSCRIBERS, ten, batches(4), clock_ns=lambda: 17)
    records = sent(log)
    assert [key for key, _ in records] == [f"S-{number:05}" for number in range(10)]
    assert json.loads(records[1][1]) == subscriber(1)
    assert (done.rows, done.sent, done.skipped) == (10, 10, 0)
    assert done.bytes == sum(len(value) for _, value in records)
    assert done.sha256 == hashlib.sha256(ten.read_bytes()).hexdigest()
    [first, *_] = log.read(STREAM.source, next(e.partition for e in log.extents("subs")), 0, 1)
    assert first.headers[PRODUCED_TIME] == "17"


def test_lines_of_json_are_sent_byte_for_byte(log, tmp_path):
    rows = [b'{"id" : "S-1", "more": [1]}', b"no json", b'{"id":"\xff"}', b'{"months": 1}']
    path = tmp_path / "some.ndjson"
    path.write_bytes(b"\n".join(rows) + b"\n")
    produce(log, SUBSCRIBERS, path, batches(10))
    assert sent(log) == [*(("", row) for row in rows[1:]), ("S-1", rows[0])]


def test_a_row_that_cannot_be_a_record_is_sent_for_the_consumer_to_refuse(log, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_bytes(
        b"\xef\xbb\xbfid,months,plan,fee,cancels\n"  # a byte order mark
        b"S-1,1,full,2.5,no\n"
        b"S-2,1,full\n"  # too few cells
        b"S-3,1,full,2.5,no,more\n"  # too many
        b",1,full,2.5,no\n"  # no key
        b"S-5,\xff,full,2.5,no\n"  # no UTF-8
        b"S-6,many,gold,-2.5,perhaps\n"
    )
    assert produce(log, SUBSCRIBERS, path, batches(10)).sent == 6
    records = dict(sent(log))
    assert records.keys() == {"", "S-1", "S-2", "S-3", "S-5", "S-6"}
    assert json.loads(records["S-2"]) == ["S-2", "1", "full"]
    assert json.loads(records["S-3"])[-1] == "more"
    assert json.loads(records[""])["id"] is None
    assert b"\xff" in records["S-5"]


class KilledError(Exception):
    """The moment of death, as data."""


def dying(after):
    """A callable that dies when it was called so many times before."""
    left = [after]

    def call(*_):
        left[0] -= 1
        if left[0] < 0:
            raise KilledError
        return 7

    return call


@pytest.mark.slow
@settings(max_examples=40)
@given(
    rows=st.lists(st.integers(0, 40), min_size=1, max_size=40),
    deaths=st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(1, 9)), max_size=8),
)
def test_no_row_is_missing_or_twice_wherever_it_was_killed(tmp_path_factory, rows, deaths):
    home = tmp_path_factory.mktemp("home")
    path = table(home / "some.csv", map(subscriber, rows))
    log = open_log(home)
    ensure_stream(log, STREAM)
    for before, after, size in deaths:
        # Before an append the producer asks for the time, after it it tells of its progress.
        dies = {"clock_ns" if before else "progress": dying(after)}
        with suppress(KilledError):
            produce(log, SUBSCRIBERS, path, batches(size), **dies)
    last = produce(log, SUBSCRIBERS, path, batches(3))
    assert sent(log) == sorted(
        ((line.key, line.value) for line in lines(path, CONTRACT)), key=lambda pair: pair[0]
    )
    assert last.sent + last.skipped == last.rows == len(rows)
    log.close()


def test_a_finished_file_is_sent_again_only_if_asked_for(log, ten, tmp_path):
    again = tmp_path / "another name.csv"
    again.write_bytes(ten.read_bytes())
    produce(log, SUBSCRIBERS, ten, batches(3))
    assert produce(log, SUBSCRIBERS, again, batches(3)).skipped == 10
    assert produce(log, SUBSCRIBERS, again, batches(3), again=True).sent == 10
    assert len(sent(log)) == 20


def test_sending_again_goes_on_where_it_was_interrupted(log, ten):
    produce(log, SUBSCRIBERS, ten, batches(3))
    with suppress(KilledError):
        produce(log, SUBSCRIBERS, ten, batches(3), again=True, clock_ns=dying(2))
    done = produce(log, SUBSCRIBERS, ten, batches(3), again=True)
    assert (done.skipped, done.sent) == (6, 4)
    assert len(sent(log)) == 20


def test_files_have_places_of_their_own(log, ten, tmp_path):
    other = table(tmp_path / "other.csv", map(subscriber, range(10, 15)))
    with suppress(KilledError):
        produce(log, SUBSCRIBERS, ten, batches(3), clock_ns=dying(1))
    assert produce(log, SUBSCRIBERS, other, batches(3)).sent == 5
    assert produce(log, SUBSCRIBERS, ten, batches(3)).skipped == 3
    assert len(sent(log)) == 15


def test_a_stop_ends_it_between_two_appends(log, ten):
    stops = iter([False, False, True])
    progress = []
    done = produce(
        log, SUBSCRIBERS, ten, batches(3),
        stop=lambda: next(stops), progress=lambda *seen: progress.append(seen),
    )  # fmt: skip
    assert (done.rows, done.sent) == (10, 6)
    assert progress == [(0, 10), (3, 10), (6, 10)]
    assert len(sent(log)) == 6


class Clock:
    """Seconds that pass when they are waited for, and `slow` ones with each append."""

    def __init__(self, slow_s=0.0):
        self.now_ns, self.slow_ns = 0, round(slow_s * NS_PER_S)
        self.at_s, self.waited_s = [], []

    def wait(self, seconds):
        assert seconds > 0
        self.waited_s.append(seconds)
        self.now_ns += round(seconds * NS_PER_S)

    def stamp(self):
        self.at_s.append(self.now_ns / NS_PER_S)
        self.now_ns += self.slow_ns
        return self.now_ns


def streamed(log, path, rate, clock, **more):
    return produce(
        log, SUBSCRIBERS, path, Sending(mode="stream", rate=rate),
        clock_ns=clock.stamp, timer_ns=lambda: clock.now_ns, wait=clock.wait, **more,
    )  # fmt: skip


@pytest.mark.slow
@given(rate=st.floats(0.01, 1e6))
@settings(max_examples=20)
def test_a_stream_keeps_its_rate_and_no_delay_adds_up(tmp_path_factory, rate):
    home = tmp_path_factory.mktemp("home")
    path = table(home / "ten.csv", map(subscriber, range(10)))
    log = open_log(home)
    ensure_stream(log, STREAM)
    clock = Clock()
    done = streamed(log, path, rate, clock)
    assert clock.at_s == pytest.approx([n / rate for n in range(10)], abs=2e-9)
    assert done.seconds == pytest.approx(9 / rate, abs=1e-3)
    assert done.rate == pytest.approx(rate * 10 / 9, rel=1e-3, abs=0.1)
    log.close()


def test_what_became_due_during_a_slow_append_is_sent_in_one_step(log, ten):
    clock = Clock(slow_s=0.35)
    assert streamed(log, ten, 10, clock).sent == 10
    # 0 | 1 2 3 | 4 5 6 7 | 8 9: always those that were due by then.
    assert clock.at_s == pytest.approx([0.0, 0.35, 0.7, 1.05])
    assert len(sent(log)) == 10


def test_a_stream_that_waits_can_be_stopped(log, ten):
    clock = Clock()
    done = streamed(log, ten, 0.001, clock, stop=lambda: len(clock.waited_s) == 3)
    assert done.sent == 3
    assert clock.now_ns == 3000 * NS_PER_S


def test_a_second_producer_of_the_case_ends_the_first(log, ten, tmp_path):
    other = open_log(tmp_path / "home")

    def progress(position, _rows):
        if position == 6:
            assert produce(other, SUBSCRIBERS, ten, batches(2)).skipped == 6

    with pytest.raises(ReplacedProducerError):
        produce(log, SUBSCRIBERS, ten, batches(3), progress=progress)
    assert len(sent(log)) == 10
    other.close()


CHANGES = {
    "truncated": lambda path: path.write_bytes(b""),
    "shortened": lambda path: os.truncate(path, path.stat().st_size - 5),
    "overwritten, with its old times": lambda path: (
        table(path, map(subscriber, range(100, 120))),
        os.utime(path, ns=(1, 1)),
    ),
    "edited behind what was sent": lambda path: path.write_bytes(
        path.read_bytes().replace(b"S-00009", b"S-00008")
    ),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_changes_meanwhile_is_not_sent_on_and_goes_on_when_it_is_restored(
    log, ten, change
):
    content = ten.read_bytes()

    def progress(position, _rows):
        if position == 3:
            change(ten)

    with pytest.raises(FileChangedError, match=r"ten\.csv changed while it was read"):
        produce(log, SUBSCRIBERS, ten, batches(3), progress=progress)
    assert len(sent(log)) == 3
    ten.write_bytes(content)
    done = produce(log, SUBSCRIBERS, ten, batches(3))
    assert (done.skipped, done.sent) == (3, 7)
    assert sent(log) == records_of(ten)


def records_of(path):
    return sorted(
        ((line.key, line.value) for line in lines(path, CONTRACT)), key=lambda pair: pair[0]
    )


def grown(path, numbers):
    """More rows for a table."""
    more = table(path.with_name("more"), map(subscriber, numbers)).read_bytes()
    with path.open("ab") as file:
        file.write(more.split(b"\n", 1)[1])


def test_a_file_that_has_grown_goes_on_behind_what_was_sent(log, ten, tmp_path):
    produce(log, SUBSCRIBERS, ten, batches(4))
    before = ten.read_bytes()
    grown(ten, range(10, 15))
    done = produce(log, SUBSCRIBERS, ten, batches(4))
    assert (done.rows, done.skipped, done.sent) == (15, 10, 5)
    assert produce(log, SUBSCRIBERS, ten, batches(4)).sent == 0
    kept = tmp_path / "kept.csv"
    kept.write_bytes(before)
    assert produce(log, SUBSCRIBERS, kept, batches(4)).sent == 0
    assert sent(log) == records_of(ten)


def test_a_file_that_grows_meanwhile_is_sent_as_far_as_it_was_and_goes_on(log, ten):
    def progress(position, _rows):
        if position == 3:
            grown(ten, range(10, 15))

    assert produce(log, SUBSCRIBERS, ten, batches(3), progress=progress).sent == 10
    assert produce(log, SUBSCRIBERS, ten, batches(3)).sent == 5
    assert sent(log) == records_of(ten)


def test_a_grown_file_that_was_interrupted_goes_on_too(log, ten):
    with suppress(KilledError):
        produce(log, SUBSCRIBERS, ten, batches(3), clock_ns=dying(2))
    grown(ten, range(10, 15))
    assert produce(log, SUBSCRIBERS, ten, batches(3)).skipped == 6
    assert sent(log) == records_of(ten)


def test_a_grown_file_is_sent_again_as_a_whole_when_it_was_sent_to_its_end(log, ten):
    produce(log, SUBSCRIBERS, ten, batches(4))
    grown(ten, range(10, 15))
    assert produce(log, SUBSCRIBERS, ten, batches(4), again=True).sent == 5
    assert produce(log, SUBSCRIBERS, ten, batches(4), again=True).sent == 15


def test_a_file_with_other_records_behind_a_common_beginning_is_another_one(log, ten, tmp_path):
    produce(log, SUBSCRIBERS, ten, batches(4))
    other = table(tmp_path / "other.csv", map(subscriber, [*range(9), 20, 21]))
    assert produce(log, SUBSCRIBERS, other, batches(4)).sent == 11


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_a_last_line_without_its_newline_is_sent_and_not_twice_when_it_gets_one(log, ten, end):
    content = ten.read_bytes().rstrip()
    ten.write_bytes(content)
    assert produce(log, SUBSCRIBERS, ten, batches(4)).sent == 10
    ten.write_bytes(content + end)
    assert produce(log, SUBSCRIBERS, ten, batches(4)).sent == 0
    grown(ten, range(10, 12)) if end else None
    assert produce(log, SUBSCRIBERS, ten, batches(4)).sent == (2 if end else 0)


def test_the_half_of_a_line_is_sent_as_it_is_and_the_whole_of_it_when_it_is_there(log, ten):
    content = ten.read_bytes()
    ten.write_bytes(content[:-9])
    assert produce(log, SUBSCRIBERS, ten, batches(4)).sent == 10
    ten.write_bytes(content)
    assert produce(log, SUBSCRIBERS, ten, batches(4)).sent == 1
    assert [key for key, _ in sent(log)].count("S-00009") == 2


@pytest.mark.parametrize("rows", [10, 4])
def test_what_an_older_version_kept_is_honoured(log, ten, rows):
    digest = hashlib.sha256(ten.read_bytes()).hexdigest()
    log.producer_checkpoints("produce.subscribers")
    log.append([], producer="produce.subscribers", checkpoints={digest: b"%d" % rows})
    assert produce(log, SUBSCRIBERS, ten, batches(3)).sent == 10 - rows
    grown(ten, range(10, 15))
    assert produce(log, SUBSCRIBERS, ten, batches(3)).sent == 5


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=20),
    steps=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.sampled_from(["dies before", "dies after", "changes", "grows", "nothing"]),
            st.integers(0, 3),
            st.integers(1, 7),
        ),
        max_size=6,
    ),
    form=st.sampled_from([".csv", ".ndjson"]),
)
def test_a_file_that_grows_changes_and_is_killed_gives_each_record_once(
    tmp_path_factory, rows, steps, form
):
    """Beside them only halves of lines stand there, each sent once for each time it was longer."""
    home = tmp_path_factory.mktemp("home")
    path = home / f"some{form}"
    people = [subscriber(n) | ({"id": f'{n},"\n' * 2} if odd else {}) for n, odd in rows]
    table(path, people)
    if form == ".ndjson":
        path.write_text("".join(json.dumps(each) + "\n\n" for each in people))
    content = path.read_bytes()
    log = open_log(home)
    ensure_stream(log, STREAM)
    halves, grown = [], False
    for share, what, after, size in sorted(steps):
        # What has grown does not shrink: an old version put back may be sent twice (0038, Price).
        now = content if grown else content[: int(share * len(content))]
        path.write_bytes(now)
        with suppress(BadInputError):
            halves += (
                [each.value for each in lines(path, CONTRACT)][-1:] if now[-1:] != b"\n" else []
            )
        left = [after]

        def progress(*_, now=now, what=what, left=left):
            left[0] -= 1
            if left[0] == -1 and what == "changes":
                path.write_bytes(now[: len(now) // 2] + b"?" * len(now))
            if left[0] == -1 and what == "grows":
                path.write_bytes(content)
            if left[0] == -1 and what == "dies after":
                raise KilledError

        clock = dying(after) if what == "dies before" else lambda: 7
        with suppress(KilledError, FileChangedError, BadInputError):
            produce(log, SUBSCRIBERS, path, batches(size), clock_ns=clock, progress=progress)
        grown = grown or (what == "grows" and left[0] < 0)
        path.write_bytes(content if grown else now)
    path.write_bytes(content)
    last = produce(log, SUBSCRIBERS, path, batches(3))
    assert last.sent + last.skipped == last.rows == len(rows)
    extra = Counter(value for _, value in sent(log))
    extra.subtract(Counter(value for _, value in records_of(path)))
    assert min(extra.values()) == 0
    assert +extra <= Counter(halves)
    assert produce(log, SUBSCRIBERS, path, batches(3)).sent == 0
    log.close()


UNREADABLE = {
    "empty": (b"", "it is empty"),
    "a header alone": (b"id,months,plan,fee,cancels\n", "there is no record in it"),
    "another table": (b"name,age\nx,1\n", "no column id"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\x00", "no column id"),
    "an open quote": (b'id,months,plan,fee,cancels\nS-1,1,full,1,no\nS-2,"1,full\n', "line 3"),
}


@pytest.mark.parametrize(("content", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_of_a_file_that_cannot_be_read_to_its_end_nothing_is_sent(log, tmp_path, content, why):
    path = tmp_path / "some.csv"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=why):
        produce(log, SUBSCRIBERS, path, batches(1))
    assert sent(log) == []


@pytest.mark.parametrize("path", ["none.csv", ".", "/dev/zero"])
def test_a_file_that_is_not_there_is_refused(log, tmp_path, path):
    with pytest.raises(BadInputError, match="readable file"):
        produce(log, SUBSCRIBERS, tmp_path / path, batches(1))


def test_a_case_without_a_stream_has_nothing_to_send(log, ten):
    with pytest.raises(BadInputError, match="spikes: it has no topic of records"):
        produce(log, SPIKES, ten, batches(1))


def test_the_topic_must_be_there(tmp_path, ten):
    empty = open_log(tmp_path / uuid.uuid4().hex)
    with pytest.raises(UnknownTopicError):
        produce(empty, SUBSCRIBERS, ten, batches(1))
    empty.close()


def test_a_dry_run_shows_what_would_be_sent(log, ten):
    messages = list(dry_run(SUBSCRIBERS, ten))
    produce(log, SUBSCRIBERS, ten, batches(3))
    assert [(each.key, each.value) for each in messages] == sent(log)
    assert {each.topic for each in messages} == {STREAM.source}


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": float("nan")}, {"batch_size": 0}])
def test_a_rate_and_a_batch_are_above_zero(wrong):
    with pytest.raises(BadInputError, match="not above 0"):
        Sending(mode="stream", **wrong)
