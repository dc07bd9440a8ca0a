"""The process that trains a case again beside a live feed."""

import os
import re
import time

import pytest

import cards
from barograph.app.runs import children, retraining
from barograph.app.runs.retraining import Retraining, read_answer, training
from barograph.app.settings import Settings
from barograph.codec import encode
from barograph.errors import RegistryError
from barograph.training.due import Due
from waiting import until


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
    ask, messages = Asked(NOT_DUE), []
    with Retraining(ask, pytest.fail, messages.append, look_s=0.01) as running:
        until(lambda: ask.times > 3)
        assert running.state == ""
    assert (messages, running.trained) == ([], [])


def test_a_first_training_that_waits_counts_down_and_has_not_failed():
    waits = [
        Due(
            due=False,
            why=f"first training in about {m} min: {n} of 3,000 rows",
            rows=n,
            needed=3000,
        )
        for m, n in ((45, 0), (40, 310))
    ]
    ask, messages = Asked(*waits), []
    with Retraining(ask, pytest.fail, messages.append, look_s=99.0, soon_s=0.01) as running:
        until(lambda: ask.times > 3)
        assert running.state == "first training in about 40 min: 310 of 3,000 rows"
    assert messages == ["retraining: first training in about 45 min: 0 of 3,000 rows"]


@pytest.mark.slow
def test_a_training_that_was_not_due_any_more_says_nothing(tmp_path):
    ask, messages = Asked(DUE), []
    with Retraining(
        ask, begin(tmp_path, "train", "--if-due", "--json"), messages.append, look_s=0.01
    ):
        until(lambda: ask.times > 1)
    assert messages == []


@pytest.mark.slow
def test_a_training_that_fails_is_reported_once_and_tried_again_later(tmp_path):
    ask, messages = Asked(DUE), []
    start = begin(tmp_path, "train")
    with Retraining(ask, start, messages.append, look_s=99.0, again_s=0.6) as running:
        failed = r"failed, next try at \d\d:\d\d:\d\d UTC: the dataset of spikes: "
        until(lambda: re.match(failed, running.state), pause_s=0.001)
        until(lambda: ask.times > 2)
    (line,) = messages
    assert line.startswith("retraining: the dataset of spikes: there is none in ")
    assert line.endswith("The next try is in 600 ms.")
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
def test_any_error_of_asking_is_reported_once_and_asked_again(tmp_path, error):
    ask, messages = Asked(error, error, error, NOT_DUE), []
    with Retraining(ask, begin(tmp_path), messages.append, look_s=0.01, again_s=0.03):
        until(lambda: ask.times > 5)
    (line,) = messages
    assert line.startswith("retraining: ")
    assert line.isprintable()


def test_a_process_that_cannot_be_started_is_reported_and_tried_again():
    tries, messages = [], []

    def start():
        tries.append(1)
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with Retraining(Asked(DUE), start, messages.append, look_s=99.0, again_s=0.01):
        until(lambda: len(tries) > 2)
    assert len(messages) == 1
    assert "Resource temporarily unavailable" in messages[0]


def test_it_waits_longer_the_more_often_it_cannot_ask(tmp_path):
    ask = Asked(OSError(5, "Input/output error"))
    with Retraining(ask, begin(tmp_path), [].append, look_s=0.01, again_s=60.0):
        started_s = time.monotonic()
        until(lambda: time.monotonic() > started_s + 0.5)
    assert 3 <= ask.times <= 7  # after 10, 20, 40, … ms


def with_program(monkeypatch, text):
    """A training that does this instead, in the same process of its own."""
    monkeypatch.setattr(children, "_program", lambda *, polite: f"polite = {polite}\n{text}")


@pytest.mark.slow
def test_a_real_report_and_what_is_not_due_can_be_read():
    report = cards.report_of()
    trained = read_answer(encode(report))
    assert trained.named == f"{report.case}/7 ({report.model.chosen}), keep"
    assert read_answer(encode(NOT_DUE)) is None


def test_the_result_of_a_training_is_reported_in_one_line(monkeypatch, tmp_path):
    with_program(
        monkeypatch,
        """import os, sys; os.nice(1); print('a print of the case')
print('{"case": "spikes", "model": {"version": 3, "chosen": "har"}, "gate": {"decision": '
      '{"promote": false, "reasons": ["4 episodes", "6 \\\\u001b[2Jblocks"]}}, "threads": 1}')""",
    )
    ask, messages = Asked(DUE, NOT_DUE), []
    with Retraining(ask, begin(tmp_path), messages.append, look_s=0.01) as running:
        until(lambda: running.trained)
        assert running.state == "spikes/3 (har), keep"
    assert messages == [r"trained spikes/3 (har), keep: 4 episodes; 6 \x1b[2Jblocks"]
    assert running.trained == [r"spikes/3 (har), keep: 4 episodes; 6 \x1b[2Jblocks"]


# The ways in which a training may end, and the line for each.
ENDS = {
    "print('{}')": "the answer of a training cannot be read",
    """print('{"case": "spikes", "version": 3}')""": "the answer of a training cannot be read",
    "print('no answer')": "the answer of a training cannot be read",
    "import sys; sys.stdout.buffer.write(b'\\xff')": "the answer of a training cannot be read",
    "pass": "the answer of a training cannot be read",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "was killed (SIGKILL); perhaps the",
    "import sys; sys.exit(3)": "exit code 3.",
    "import sys; sys.exit('barograph: the disk \\x1b[31mis full.')": "the disk \\x1b[31mis full.",
    "print('x' * 10**7); import sys; sys.exit('y' * 10**7)": "yyy",
    "import threading; threading.Event().wait()": "did not end in",
}


@pytest.mark.slow
@pytest.mark.parametrize(("program", "line"), ENDS.items(), ids=range(len(ENDS)))
def test_however_a_training_ends_it_is_reported_in_one_line_and_tried_again(
    monkeypatch, tmp_path, program, line
):
    with_program(monkeypatch, program)
    ask, messages = Asked(DUE), []
    with Retraining(
        ask,
        begin(tmp_path),
        messages.append,
        again_s=0.01,
        limit_s=0.5 if "did not end" in line else 60.0,
    ):
        until(lambda: ask.times > 1)
    (once,) = messages
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
    pid_file, messages = tmp_path / "process", []
    with Retraining(Asked(DUE), begin(tmp_path, pid_file), messages.append):
        until(pid_file.exists)
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert messages == []


def test_a_training_has_the_lowest_priority_one_thread_and_a_session_of_its_own(
    monkeypatch, tmp_path
):
    output_file = tmp_path / "facts"
    facts = "os.nice(0), os.environ['OMP_NUM_THREADS'], os.getsid(0) == os.getpid()"
    polite = children._program(polite=True).partition("from")[0]
    with_program(
        monkeypatch, f"{polite}open({str(output_file)!r}, 'w').write(str([{facts}])); print('{{}}')"
    )
    with Retraining(Asked(DUE, NOT_DUE), begin(tmp_path), [].append, look_s=0.01):
        until(lambda: output_file.exists() and output_file.read_text())
    assert output_file.read_text() == "[19, '1', True]"
