"""How a verb is told to stop: by the first signal; the next one is as ever."""

import os
import signal

import pytest

from barograph.cli.stopping import told_to_stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_word_and_the_next_one_a_blow(number):
    before = signal.getsignal(number)
    with told_to_stop() as told:
        assert not told.is_set()
        os.kill(os.getpid(), number)
        assert told.wait(5)
        assert signal.getsignal(number) == before


@pytest.fixture
def interruptible():
    """Python's own way with SIGINT, which a shell's background processes ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_second_interrupt_interrupts():
    with told_to_stop() as told:
        os.kill(os.getpid(), signal.SIGINT)
        assert told.wait(5)
        with pytest.raises(KeyboardInterrupt):
            # One sent to the process may reach another thread of it first.
            signal.raise_signal(signal.SIGINT)


def test_afterwards_signals_do_what_they_did():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with told_to_stop() as told:
        pass
    assert not told.is_set()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
