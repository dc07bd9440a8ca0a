"""When a case is trained again, by a record of facts, and the process that does it."""

import os
import shutil
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import children, retraining
from barograph.errors import BadInputError, RegistryError
from barograph.registry import Registry
from barograph.retraining import (
    Due,
    Retraining,
    Standing,
    asked,
    due,
    frames,
    standing,
    training,
    turn,
)
from barograph.settings import Settings
from test_registry import SECOND, facts_of, graph
from waiting import until

HOUR = 3600 * 10**9
DAY = 24 * HOUR
NOW = 1_765_000_000 * 10**9
HOURS = st.integers(-200, 200).map(lambda hours: NOW + hours * HOUR)


def at(now_ns, every_h=24.0, heard_ns=NOW + 1000 * HOUR, **known):
    return due(Standing(heard_ns=heard_ns, **known), now_ns, every_h)


@given(HOURS, HOURS | st.none(), HOURS, st.sampled_from([1.0, 24.0, 168.0]))
def test_a_case_is_trained_every_so_often_and_in_the_hour_before_its_champion_expires(
    trained_ns, expires_ns, now_ns, every_h
):
    moments = [trained_ns + int(every_h * HOUR)]
    if expires_ns is not None and expires_ns - HOUR > trained_ns:
        moments.append(expires_ns - HOUR)
    said = at(now_ns, every_h, trained_ns=trained_ns, expires_ns=expires_ns)
    assert said.due == (now_ns >= min(moments))


@given(HOURS, HOURS, st.integers(1, 20))
def test_where_nothing_is_promoted_it_trains_once_a_day_and_once_more_for_the_expiry(
    trained_ns, expires_ns, days
):
    """A gate that is asked again and again uses up the rows that it would need."""
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


def test_why_is_said_in_words():
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
def test_how_a_case_stands_follows_from_its_registry_and_its_archive(home):
    registry, onnx = Registry(home), graph()
    assert frames(home) == []
    assert standing(registry, "spikes", frames(home)) == Standing()
    archived(home, 1_765_000_000)
    assert standing(registry, "spikes", frames(home)) == Standing(heard_ns=NOW)
    registry.register("spikes", onnx, facts_of(onnx, expires_time_ns=SECOND + 7))
    registry.register("spikes", onnx, facts_of(onnx, created_time_ns=SECOND + 9))
    assert standing(registry, "spikes", []) == Standing(trained_ns=SECOND + 9)
    registry.promote("spikes", 1, "gate")
    known = standing(registry, "spikes", [home / "gone", *frames(home)])
    assert known == Standing(heard_ns=NOW, trained_ns=SECOND + 9, expires_ns=SECOND + 7)
    assert asked(home, "spikes", [], 24.0).why == "there is nothing to train on yet"


def test_one_process_at_a_time_has_its_turn(tmp_path):
    with (
        turn(tmp_path, "spikes") as mine,
        turn(tmp_path, "spikes") as another,
        turn(tmp_path, "churn") as of_another_case,
    ):
        assert (mine, another, of_another_case) == (True, False, True)
    with turn(tmp_path, "spikes") as later:
        assert later


def test_a_home_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "datasets").write_text("a file in the way")
    with pytest.raises(BadInputError, match="datasets"), turn(tmp_path, "spikes"):
        pass


def begin(home, *words):
    """How a training of these words is begun."""
    return lambda: training(list(map(str, words)), Settings(home=home))


DUE, NOT_DUE = Due(due=True, why=""), Due(due=False, why="")


class Asked:
    """Says whether it is due, the last answer for ever, and counts how often it was asked."""

    def __init__(self, *answers):
        self.answers, self.times = answers, 0

    def __call__(self):
        self.times += 1
        answer = self.answers[min(self.times, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_what_is_not_due_starts_nothing():
    ask, told = Asked(NOT_DUE), []
    with Retraining(ask, pytest.fail, told.append, look_s=0.01) as running:
        until(lambda: ask.times > 3)
        assert running.state == ""
    assert (told, running.trained) == ([], [])


@pytest.mark.slow
def test_a_training_that_was_not_due_any_more_says_nothing(tmp_path):
    ask, told = Asked(DUE), []
    with Retraining(ask, begin(tmp_path, "train", "--if-due", "--json"), told.append, look_s=0.01):
        until(lambda: ask.times > 1)
    assert told == []


@pytest.mark.slow
def test_a_training_that_fails_is_told_once_and_tried_again_later(tmp_path):
    ask, told = Asked(DUE), []
    start = begin(tmp_path, "train")
    with Retraining(ask, start, told.append, look_s=99.0, again_s=0.6) as running:
        until(lambda: ask.times > 2)
    (line,) = told
    assert line.startswith("retraining: the dataset of spikes: there is none in ")
    assert line.endswith("The next try is in 0.01 min.")
    assert running.trained == []


@pytest.mark.parametrize(
    "error",
    [
        RegistryError("mlflow.db", "the database cannot be read", "Try again"),
        OSError(28, "No space left on device"),
        MemoryError("\x1b[2J"),
        RuntimeError("can't start new thread"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_asking_dies_of_is_told_once_and_asked_again(tmp_path, error):
    ask, told = Asked(error, error, error, NOT_DUE), []
    with Retraining(ask, begin(tmp_path), told.append, look_s=0.01, again_s=0.03):
        until(lambda: ask.times > 5)
    (line,) = told
    assert line.startswith("retraining: ")
    assert line.isprintable()


def test_a_process_that_cannot_be_started_is_told_and_tried_again():
    tries, told = [], []

    def start():
        tries.append(1)
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with Retraining(Asked(DUE), start, told.append, look_s=99.0, again_s=0.01):
        until(lambda: len(tries) > 2)
    assert len(told) == 1
    assert "Resource temporarily unavailable" in told[0]


def test_it_waits_longer_the_more_often_it_cannot_ask(tmp_path):
    ask = Asked(OSError(5, "Input/output error"))
    with Retraining(ask, begin(tmp_path), [].append, look_s=0.01, again_s=60.0):
        started_s = time.monotonic()
        until(lambda: time.monotonic() > started_s + 0.5)
    assert 3 <= ask.times <= 7  # after 10, 20, 40, … ms


def with_program(monkeypatch, text):
    """A training that does this instead, in the same process of its own."""
    monkeypatch.setattr(children, "_program", lambda *, polite: f"polite = {polite}\n{text}")


def test_what_a_training_said_is_told_in_one_line(monkeypatch, tmp_path):
    with_program(
        monkeypatch,
        """import os, sys; os.nice(1); print('a print of the case')
print('{"case": "spikes", "version": 3, "chosen": "har", "decision": {"promote": false, '
      '"reasons": ["4 episodes", "6 \\\\u001b[2Jblocks"]}, "threads": 1}')""",
    )
    ask, told = Asked(DUE, NOT_DUE), []
    with Retraining(ask, begin(tmp_path), told.append, look_s=0.01) as running:
        until(lambda: running.trained)
        assert running.state == "spikes/3 (har), keep"
    assert told == [r"trained spikes/3 (har), keep: 4 episodes; 6 \x1b[2Jblocks"]
    assert running.trained == [r"spikes/3 (har), keep: 4 episodes; 6 \x1b[2Jblocks"]


# What a training may come to, and what is said of it.
ENDS = {
    "print('no answer')": "what a training answered cannot be read",
    "import sys; sys.stdout.buffer.write(b'\\xff')": "what a training answered cannot be read",
    "pass": "what a training answered cannot be read",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "was killed (SIGKILL); perhaps the",
    "import sys; sys.exit(3)": "exit code 3.",
    "import sys; sys.exit('barograph: the disk \\x1b[31mis full.')": "the disk \\x1b[31mis full.",
    "print('x' * 10**7); import sys; sys.exit('y' * 10**7)": "yyy",
    "import threading; threading.Event().wait()": "did not end in",
}


@pytest.mark.slow
@pytest.mark.parametrize(("program", "line"), ENDS.items(), ids=range(len(ENDS)))
def test_however_a_training_ends_it_is_told_in_one_line_and_tried_again(
    monkeypatch, tmp_path, program, line
):
    with_program(monkeypatch, program)
    ask, told = Asked(DUE), []
    with Retraining(
        ask,
        begin(tmp_path),
        told.append,
        again_s=0.01,
        limit_s=0.5 if "did not end" in line else 60.0,
    ):
        until(lambda: ask.times > 1)
    (once,) = told
    assert line in once
    assert once.isprintable()
    assert len(once) < 700


@pytest.mark.slow
@pytest.mark.parametrize("deaf", [False, True])
def test_its_end_is_the_end_of_a_training_too(monkeypatch, tmp_path, deaf):
    monkeypatch.setattr(retraining, "_PATIENCE_S", 0.1)
    with_program(
        monkeypatch,
        f"""import os, signal, sys, threading
{deaf} and signal.signal(signal.SIGINT, signal.SIG_IGN)
with open(sys.argv[1] + ".making", "w") as file: file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".making", sys.argv[1])
threading.Event().wait()""",
    )
    said, told = tmp_path / "process", []
    with Retraining(Asked(DUE), begin(tmp_path, said), told.append):
        until(said.exists)
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(said.read_text()), 0)
    assert told == []


def test_a_training_has_the_lowest_priority_one_thread_and_a_session_of_its_own(
    monkeypatch, tmp_path
):
    said = tmp_path / "said"
    facts = "os.nice(0), os.environ['OMP_NUM_THREADS'], os.getsid(0) == os.getpid()"
    polite = children._program(polite=True).partition("from")[0]
    with_program(
        monkeypatch, f"{polite}open({str(said)!r}, 'w').write(str([{facts}])); print('{{}}')"
    )
    with Retraining(Asked(DUE, NOT_DUE), begin(tmp_path), [].append, look_s=0.01):
        until(lambda: said.exists() and said.read_text())
    assert said.read_text() == "[19, '1', True]"
