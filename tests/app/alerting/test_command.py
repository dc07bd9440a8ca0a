"""A command per note: words and no shell, facts in its environment, bounded in time and output."""

import json
import os
import shlex
import sys
import time

import pytest

from alert_records_made import alert
from barograph.app.alerting.command import MAX_STDERR_BYTES, Command
from barograph.app.alerting.notes import note_of, trial_note
from barograph.app.alerting.sink import SinkError
from barograph.app.secrets import SECRETS
from barograph.errors import BadInputError
from waiting import until


def python(code, *words):
    return " ".join(map(shlex.quote, [sys.executable, "-c", code, *words]))


KEEP = (
    "import json, os, sys; json.dump([sys.stdin.read(), dict(os.environ), sys.argv[1:]], "
    "open(sys.argv[1], 'w'))"
)


def test_it_gets_the_note_on_standard_input_and_in_its_environment(tmp_path, monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "hidden")
    monkeypatch.setenv("OF_THE_USER", "kept")
    out = tmp_path / "out"
    note = note_of(alert())
    Command(python(KEEP, str(out))).send(note)
    body, environment, _ = json.loads(out.read_text())
    assert body.encode() == note.json() + b"\n"
    assert environment["ALERT_SUBJECT"] == "BTC-USD"
    assert environment["ALERT_CHANGE"] == "began"
    assert environment["ALERT_KEY"] == note.key
    assert environment["ALERT_PROBABILITY"] == "0.6"
    assert environment["OF_THE_USER"] == "kept"
    assert "hidden" not in environment.values()


def test_no_text_of_an_alert_is_interpreted(tmp_path):
    out, trap = tmp_path / "out", tmp_path / "trap"
    evil = f"$(touch {trap}); `touch {trap}` | touch {trap} & \0 '\""
    Command(python(KEEP, str(out), "$ALERT_TEXT", ";", "touch")).send(
        note_of(alert(subject=evil[:300], text=evil))
    )
    *_, words = json.loads(out.read_text())
    assert words[1:] == ["$ALERT_TEXT", ";", "touch"]
    assert not trap.exists()


def test_an_exit_code_is_an_error_with_the_first_words_of_standard_error():
    with pytest.raises(SinkError, match="exit code 3: no phone"):
        Command(python("import sys; sys.stderr.write('no phone\\n'); sys.exit(3)")).send(
            trial_note(1)
        )


def test_a_command_that_is_not_there_is_an_error():
    with pytest.raises(SinkError, match="cannot be started"):
        Command("/no/such/program").send(trial_note(1))


@pytest.mark.slow
def test_one_that_hangs_is_killed_with_what_it_started(tmp_path):
    pid = tmp_path / "pid"
    code = (
        "import subprocess, sys; p = subprocess.Popen(['sleep', '600']); "
        "open(sys.argv[1], 'w').write(str(p.pid)); p.wait()"
    )
    with pytest.raises(SinkError, match="did not end within 2 s"):
        Command(python(code, str(pid)), timeout_s=2.0).send(trial_note(1))
    child = int(pid.read_text())
    until(lambda: not _runs(child))


def _runs(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - no file of a person's
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_endless_output_and_unread_input_block_nothing():
    code = f"import sys; sys.stderr.write('x' * {50 * MAX_STDERR_BYTES}); sys.exit(1)"
    started_s = time.monotonic()
    with pytest.raises(SinkError) as failed:
        Command(python(code)).send(note_of(alert(text="y" * 1000)))
    assert len(failed.value.reason) <= 300
    assert time.monotonic() - started_s < 20.0


@pytest.mark.parametrize("line", ["", "   ", "'open", "a\0b"])
def test_no_command_is_refused(line):
    with pytest.raises(BadInputError):
        Command(line)


def test_the_label_names_the_program_and_not_its_arguments():
    command = Command("/usr/bin/notify --token SECRET")
    assert command.label == "command notify"
    assert "SECRET" not in command.name
