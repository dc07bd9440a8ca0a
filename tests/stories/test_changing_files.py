"""Files that change, grow or never end, in the real `replay`: each tick once, and an end."""

import json
import os
import shutil
import signal
import threading
from contextlib import closing, suppress

import pytest

from barograph.errors import UnknownTopicError
from barograph.log import open_log
from coinbase_messages import ticker
from log_contents import events
from refusals import line_of
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations


def recording(path, numbers, mode="wb"):
    """One tick a second, as lines."""
    with path.open(mode) as file:
        file.writelines(json.dumps(ticker(n)).encode() + b"\n" for n in numbers)
    return path


def replaying(path, home, *more):
    return Life("replay", path, "--home", home, "--no-stages", "--json", *more)


def ticks(home):
    with closing(open_log(home)) as log:
        return sorted(each.trade_id for each in events(log).get("BTC-USD", []))


def counted(home):
    """How many ticks are in the log; none before there is a log with its topics."""
    try:
        return len(ticks(home)) if (home / "log.sqlite").exists() else 0
    except UnknownTopicError:
        return 0


def ids(numbers):
    return sorted(ticker(n)["trade_id"] for n in numbers)


def refused(life):
    """The one line of an end with exit code 2."""
    return line_of(life.end())


def test_a_recording_cut_while_it_is_replayed_ends_that_and_is_taken_whole_when_restored(tmp_path):
    home, path = tmp_path / "home", recording(tmp_path / "recording.ndjson", range(400))
    kept = shutil.copy(path, tmp_path / "kept")
    life = replaying(path, home, "--speed", 4)
    until(lambda: counted(home) > 3)
    os.truncate(path, 0)
    assert "changed while it was read" in refused(life)
    taken = counted(home)
    assert 3 < taken < 400
    shutil.copy(kept, path)  # the advice of the line
    done = json.loads(replaying(path, home).answer())["feed"]
    assert (done["resumed_at"], done["ticks"]) == (taken, 400 - taken)
    assert ticks(home) == ids(range(400))


def test_a_recording_that_grows_while_it_is_replayed_is_taken_once_by_two_runs(tmp_path):
    home, path = tmp_path / "home", recording(tmp_path / "recording.ndjson", range(60))
    life = replaying(path, home, "--speed", 20)
    until(lambda: counted(home) > 3)
    recording(path, range(60, 90), "ab")
    assert json.loads(life.answer())["feed"]["ticks"] == 60
    done = json.loads(replaying(path, home).answer())["feed"]
    assert (done["resumed_at"], done["ticks"], done["gaps"]) == (60, 30, {})
    assert ticks(home) == ids(range(90))
    assert json.loads(replaying(path, home).answer())["feed"]["skipped"] == [path.name]


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def opened(pipe):
    """Its writing end, once there is a reader."""
    ends = []

    def has_reader():
        with suppress(OSError):
            ends.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(ends)

    until(has_reader)
    return open(ends[0], "wb", buffering=0)  # noqa: PTH123 - a descriptor is no path


def writing(pipe, numbers):
    """A thread that writes into it; it waits for a reader, as a shell's `command > PIPE &` does."""
    writer = threading.Thread(target=recording, args=(pipe, numbers), daemon=True)
    writer.start()
    return writer


def test_a_pipe_is_replayed_while_somebody_writes_into_it(tmp_path, pipe):
    home = tmp_path / "home"
    life = replaying(pipe, home)
    writer = writing(pipe, range(5000))
    assert json.loads(life.answer())["feed"]["ticks"] == 5000
    writer.join(10)
    assert ticks(home) == ids(range(5000))


def test_an_interrupt_ends_a_replay_that_waits_for_a_quiet_writer(tmp_path, pipe):
    life = replaying(pipe, tmp_path / "home")
    with opened(pipe) as writer:
        writer.write(json.dumps(ticker(0)).encode() + b"\n")
        until(lambda: b"waiting for what is written into it" in life.warned())
        os.kill(life.pid, signal.SIGINT)
        code, out, err = life.end()
    assert (code, out) == (130, b"")
    assert b"Traceback" not in err


def test_a_pipe_without_a_writer_is_refused_and_read_when_the_writer_is_there_first(tmp_path, pipe):
    home = tmp_path / "home"
    assert "Start what writes into it first" in refused(replaying(pipe, home))
    writer = writing(pipe, range(20))
    assert json.loads(replaying(pipe, home).answer())["feed"]["ticks"] == 20
    writer.join(10)


def test_what_has_no_end_is_refused_at_once(tmp_path):
    assert "Name a readable file" in refused(replaying("/dev/zero", tmp_path / "home"))
