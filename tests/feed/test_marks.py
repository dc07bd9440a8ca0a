"""How far recordings are: the law of files that grow and change, and what older versions kept."""

import gzip
import hashlib
import json
import os
import shutil

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.errors import BadInputError, FileChangedError
from barograph.feed.feed import PRODUCER
from barograph.feed.replay import Pace, replay
from barograph.types import Fault
from coinbase_messages import heartbeat, ticker
from homes import Clock, Home, lines_of, recorded
from log_contents import events, letters


class KilledError(Exception):
    """Stands for the end of a process."""


def content_of(numbers, noise):
    """Lines with one tick for each number, among what recorders write beside."""
    lines = [b'{"type":"subscriptions"}']
    for number, other in zip(numbers, noise, strict=False):
        lines += [*other, json.dumps(ticker(number)).encode()]
    return b"\n".join(lines) + b"\n"


def as_file(content, form):
    """Plain, in one gzip member, or in several."""
    if form == "plain":
        return content
    cut = len(content) // 3
    members = [content] if form == "gzip" else [content[:cut], content[cut:]]
    return b"".join(gzip.compress(member, 1, mtime=0) for member in members)


def run(home, path, kill=None, batch_lines=3):
    """A replay that may be killed behind some commits."""
    left = [kill]

    def progress(*_):
        if left[0] is not None:
            left[0] -= 1
            if left[0] < 0:
                raise KilledError

    feed = home.feed(batch_lines=batch_lines)
    try:
        return replay(feed, [path], progress=progress)
    except KilledError:
        feed._writer._lines.clear()
        return None
    finally:
        feed.close()


def refused(home):
    """Dead letters but those of lines that were not there whole."""
    return sorted(
        (each.fault, each.position) for each in letters(home.log) if each.fault != Fault.TRUNCATED
    )


def same(ours, theirs):
    assert events(ours.log) == events(theirs.log)
    assert refused(ours) == refused(theirs)


noises = st.lists(
    st.lists(
        st.sampled_from([b"", b"  ", b"garbage", b"[1]", json.dumps(heartbeat(0, 0)).encode()]),
        max_size=2,
    ),
    min_size=12,
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    noise=noises,
    steps=st.lists(st.tuples(st.floats(0.005, 1), st.none() | st.integers(0, 3)), max_size=5),
    forms=st.lists(st.sampled_from(["plain", "gzip", "members", "torn"]), min_size=6, max_size=6),
)
def test_a_file_that_grows_gives_what_the_whole_of_it_gives(tmp_path_factory, noise, steps, forms):
    folder = tmp_path_factory.mktemp("grows")
    content, path = content_of(range(12), noise), folder / "recording"
    ours, theirs = Home(folder / "ours"), Home(folder / "theirs")
    before = 0
    for (share, kill), form in zip(
        [*sorted(steps, key=lambda step: step[0]), (1.0, None)], forms, strict=False
    ):
        now = int(share * len(content))
        path.write_bytes(
            gzip.compress(content[:before]) + gzip.compress(content[before:now])[:-12]
            if form == "torn"
            else as_file(content[:now], form)
        )
        before = now
        run(ours, path, kill)
    path.write_bytes(content)
    ours.replay(path)
    theirs.replay(path)
    same(ours, theirs)
    assert ours.replay(path).skipped == ["recording"]
    ours.log.close()
    theirs.log.close()


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    noise=noises, kill=st.none() | st.integers(0, 3), taken=st.integers(1, 12),
    edited=st.integers(0, 11), left=st.integers(1, 12),
)  # fmt: skip
def test_a_file_that_was_changed_between_two_runs_goes_on_or_is_refused(
    tmp_path_factory, noise, kill, taken, edited, left
):
    folder = tmp_path_factory.mktemp("changes")
    path, home = folder / "recording", Home(folder / "home")
    first = content_of(range(taken), noise)
    numbers = [n + 1000 * (n == edited) for n in range(left)]
    second = content_of(numbers, noise)
    path.write_bytes(first)
    run(home, path, kill)
    before = events(home.log)
    path.write_bytes(second)
    why = ""
    try:
        home.replay(path)
    except BadInputError as error:
        why = str(error)
    if why:
        assert "begins like a recording" in why
        assert events(home.log) == before
        path.write_bytes(content_of(range(12), noise))  # what the line advises
        home.replay(path)
        second = path.read_bytes()
    # On its own, or as the other recording that it is.
    fresh = Home(folder / "fresh")
    if edited == 0 and second == content_of(numbers, noise):
        path.write_bytes(first)
        run(fresh, path, kill)
        path.write_bytes(second)
    fresh.replay(path)
    same(home, fresh)
    home.log.close()
    fresh.log.close()


@pytest.fixture
def home(tmp_path):
    opened = Home(tmp_path / "home")
    yield opened
    opened.log.close()


def changed_during(home, path, change, at=4):
    """A paced replay, and a change of its file before the tick of that number is due."""
    pauses = [0]

    def sleep(_seconds):
        pauses[0] += 1
        if pauses[0] == at:
            change()

    feed = home.feed()
    try:
        return replay(feed, [path], Pace(1.0, sleep, Clock()))
    finally:
        feed.close()


def grown(path):
    with path.open("ab") as file:
        file.write(lines_of(b"", *(ticker(n) for n in range(10, 20))))


CHANGES = {
    "truncated": lambda path: path.write_bytes(b""),
    "shortened": lambda path: os.truncate(path, 900),
    "overwritten": lambda path: path.write_bytes(path.read_bytes().replace(b"BTC", b"ETH")),
    "overwritten by more": lambda path: path.write_bytes(lines_of(*map(ticker, range(50, 99)))),
    "replaced": lambda path: (
        path.with_name("new").write_bytes(lines_of(ticker(7))),
        path.with_name("new").replace(path),
    ),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_changes_while_it_is_read_is_not_done_and_goes_on_when_it_is_restored(
    tmp_path, home, change
):
    path = recorded(tmp_path, *map(ticker, range(10)))
    kept = shutil.copy(path, tmp_path / "kept")
    with pytest.raises(FileChangedError, match=r"recording\.ndjson changed while it was read"):
        changed_during(home, path, lambda: change(path))
    # What was read before the change is the recording's; how much of that is written before the
    # change is seen depends on how long the last look at the file took.
    taken = len(events(home.log)["BTC-USD"])
    assert taken >= 4
    path.unlink(missing_ok=True)
    shutil.copy(kept, path)
    summary = home.replay(path)
    assert (summary.resumed_at, summary.ticks) == (taken, 10 - taken)
    whole = Home(tmp_path / "whole")
    whole.replay(path)
    same(home, whole)
    whole.log.close()


def test_a_file_that_grows_while_it_is_read_is_read_as_far_as_it_was_and_goes_on(tmp_path, home):
    path = recorded(tmp_path, *map(ticker, range(10)))
    assert changed_during(home, path, lambda: grown(path)).ticks == 10
    summary = home.replay(path)
    assert (summary.resumed_at, summary.ticks, summary.gaps) == (10, 10, {})


def test_a_copy_in_its_place_with_the_same_beginning_is_the_same_file(tmp_path, home):
    path = recorded(tmp_path, *map(ticker, range(10)))
    new = recorded(tmp_path, *map(ticker, range(15)), name="new")
    assert changed_during(home, path, lambda: new.replace(path)).ticks == 10
    assert home.replay(path).ticks == 5


def test_half_a_line_is_a_letter_once_and_is_taken_when_it_is_whole(tmp_path, home):
    path = recorded(tmp_path, ticker(0), ticker(1))
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    assert home.replay(path).dead_letters == {"truncated": 1}
    assert home.replay(path).skipped == ["recording.ndjson"]
    path.write_bytes(content)
    assert home.replay(path).ticks == 1
    assert [each.position for each in letters(home.log)] == ["2"]
    assert len(events(home.log)["BTC-USD"]) == 2


def test_a_file_that_was_packed_since_is_the_same(tmp_path, home):
    path = recorded(tmp_path, *map(ticker, range(5)))
    home.replay(path)
    packed = tmp_path / "recording.ndjson.gz"
    packed.write_bytes(gzip.compress(path.read_bytes() + lines_of(b"", ticker(5))))
    assert home.replay(packed).ticks == 1


def test_where_lines_were_taken_that_a_file_has_no_more_the_advice_works(tmp_path, home):
    path = recorded(tmp_path, *map(ticker, range(9)))
    home.replay(path)
    short = recorded(tmp_path, *map(ticker, range(5)), name="short")
    with pytest.raises(BadInputError, match=r"short: .* 9 lines were taken.* fresh --home"):
        home.replay(short)
    fresh = Home(tmp_path / "fresh")
    assert fresh.replay(short).ticks == 5
    fresh.log.close()


@pytest.mark.parametrize("done", [True, False])
def test_what_an_older_version_kept_is_honoured(tmp_path, home, done):
    path = recorded(tmp_path, *map(ticker, range(6)))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    kept = msgspec.json.encode({"lines": 6 if done else 4, "done": done})
    home.feed().close()
    home.log.append([], producer=PRODUCER, checkpoints={f"file:{digest}": kept})
    summary = home.replay(path)
    assert summary.skipped == (["recording.ndjson"] if done else [])
    assert summary.ticks == (0 if done else 2)
    connections = {each.connection for each in events(home.log).get("BTC-USD", [])}
    assert connections == (set() if done else {f"replay:{digest[:12]}/exchange"})
    grown(path)
    assert home.replay(path).ticks == 10
    assert home.replay(path).skipped == ["recording.ndjson"]


def test_files_that_were_not_looked_into_go_on_where_they_were_sure(tmp_path, home, monkeypatch):
    path = recorded(tmp_path, *map(ticker, range(9)))
    content = path.read_bytes()
    monkeypatch.setattr("barograph.files.input_file._CHECK_SHARE", 1e9)

    def change():
        path.write_bytes(content[:450] + lines_of(b"", *map(ticker, range(20, 40))))

    with pytest.raises(FileChangedError):
        changed_during(home, path, change)
    path.write_bytes(content)
    home.replay(path)
    ticks = [each.trade_id for each in events(home.log)["BTC-USD"]]
    assert sorted(set(ticks)) == sorted(ticks)
