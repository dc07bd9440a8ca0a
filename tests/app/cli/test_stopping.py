"""How a verb is told to stop: by the first signal; the next one is as ever."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from barograph.app.cli import stopping
from barograph.app.cli.stopping import stop_requested
from barograph.deadline import Start, StartStopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_for_a_stop_and_the_next_one_has_its_usual_effect(number):
    before = signal.getsignal(number)
    with stop_requested() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(60)
        assert signal.getsignal(number) == before


@pytest.fixture
def interruptible():
    """Python's own way with SIGINT, which a shell's background processes ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_second_interrupt_interrupts():
    with stop_requested() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(60)
        with pytest.raises(KeyboardInterrupt):
            # One sent to the process may reach another thread of it first.
            signal.raise_signal(signal.SIGINT)


def test_afterwards_signals_do_what_they_did():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with stop_requested() as stop:
        pass
    assert not stop.is_set()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_who_wants_to_know_of_a_stop_hears_of_it_before_the_event_is_set():
    heard = []

    def first():
        heard.append(stop.is_set())

    with stop_requested(first) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.wait(60)
    assert heard[0] is False


def test_a_start_is_left_at_the_signal_wherever_it_is():
    start, before = Start(), signal.getsignal(signal.SIGTERM)
    with stop_requested(then=start.interrupt) as stop:
        with pytest.raises(StartStopped):
            signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
    assert signal.getsignal(signal.SIGTERM) == before


BEGIN = """
import os, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
from barograph.app.cli.stopping import interruptible, stop_requested

def ready(word="ready"):
    print(word, flush=True)

with interruptible():
"""


@pytest.fixture
def begun():
    """Start a program inside `interruptible`, and wait until it is at its point."""
    processes = []

    def start(body, begin=BEGIN):
        process = subprocess.Popen(
            [sys.executable, "-c", begin + textwrap.indent(textwrap.dedent(body), "    ")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def ended(process, *numbers, limit_s=60.0):
    """Send signals and wait: exit code, seconds, standard output and error."""
    started_s = time.monotonic()
    for number in numbers:
        process.send_signal(number)
    out, err = process.communicate(timeout=limit_s)
    return process.returncode, time.monotonic() - started_s, out, err


# What holds the main thread; Python hears of a signal in the first one only.
HELD = {
    "work": "ready()\nwhile True: pass",
    "a wait that the kernel restarts": """
        signal.siginterrupt(signal.SIGINT, False), signal.siginterrupt(signal.SIGTERM, False)
        ready()
        threading.Lock().acquire() and threading.Event().wait()""",
    "a thread that does not end": """
        threading.Thread(target=threading.Event().wait).start()
        ready()
        threading.Event().wait()""",
    "a clean-up that does not end": """
        try:
            ready()
            threading.Event().wait()
        finally:
            threading.Event().wait()""",
    "an interrupt that is swallowed": """
        class Swallows:
            def __del__(self):
                ready()
                threading.Event().wait()
        Swallows()
        threading.Event().wait()""",
    "what makes another error of it": """
        try:
            ready()
            threading.Event().wait()
        except BaseException as error:
            raise RuntimeError("the compiler failed") from error""",
}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("body", HELD.values(), ids=HELD)
def test_whatever_holds_the_main_thread_ends_without_a_word(begun, body, number):
    code, _, out, err = ended(begun(body), number)
    assert (code, out, err) == (128 + number, b"", b"")


@pytest.mark.slow
def test_a_verb_that_ends_by_itself_has_its_summary_and_its_own_exit_code(begun):
    body = """
        with stop_requested() as stop:
            ready()
            stop.wait()
        print("4 records", end="")
        sys.exit(1)"""
    code, _, out, err = ended(begun(body), signal.SIGTERM)
    assert (code, out, err) == (1, b"4 records", b"")


@pytest.mark.slow
def test_the_word_comes_also_where_the_main_thread_waits_without_a_limit(begun):
    body = """
        with stop_requested() as stop:
            signal.siginterrupt(signal.SIGINT, False)
            ready()
            stop.wait()
            print("stopped", end="")"""
    code, _, out, _ = ended(begun(body), signal.SIGINT)
    assert (code, out) == (0, b"stopped")


@pytest.mark.slow
def test_a_verb_that_should_end_by_itself_and_does_not_is_ended(begun):
    body = """
        with stop_requested() as stop:
            ready()
            threading.Event().wait()"""
    assert ended(begun(body), signal.SIGINT)[0] == 130


@pytest.mark.slow
def test_a_second_signal_does_not_wait_for_the_first_one(begun):
    body = """
        with stop_requested() as stop:
            ready()
            stop.wait()
            ready("again")
            threading.Lock().acquire() and threading.Event().wait()"""
    process = begun(body)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == b"again\n"
    code, seconds, *_ = ended(process, signal.SIGINT)
    assert code == 130
    assert seconds < stopping.CLEAN_S


@pytest.mark.slow
def test_after_a_verb_ended_by_itself_what_follows_has_no_limit(begun):
    body = """
        with stop_requested() as stop:
            ready()
            stop.wait()
        threading.Event().wait(stopping.CLEAN_S + 0.5)
        print("verified", end="")"""
    body = "from barograph.app.cli import stopping\nstopping.CLEAN_S = 0.5" + textwrap.dedent(body)
    code, _, out, _ = ended(begun(body), signal.SIGINT)
    assert (code, out) == (0, b"verified")


@pytest.mark.slow
def test_who_starts_it_with_interrupts_ignored_wants_them_ignored(begun):
    body = """
        ready()
        threading.Event().wait()"""
    process = begun(body, BEGIN.replace("default_int_handler", "SIG_IGN"))
    assert ended(process, signal.SIGINT, signal.SIGTERM)[0] == 143
