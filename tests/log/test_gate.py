import fcntl
import subprocess
import sys
import threading

import pytest

from barograph.log.gate import WriterGate
from waiting import until


@pytest.fixture
def gates(tmp_path):
    three = [WriterGate(tmp_path / "locks") for _ in range(3)]
    yield three
    for each in three:
        each.close()


def can_lock(file):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


def test_one_is_inside_at_a_time(gates):
    first, second, _ = gates
    first.enter(0)
    with pytest.raises(TimeoutError):
        second.enter(0.01)
    first.leave()
    second.enter(0)
    with pytest.raises(TimeoutError):
        first.enter(0)
    second.leave()


def test_one_who_gave_up_waiting_stands_in_nobodys_way(gates):
    first, second, third = gates
    first.enter(0)
    with pytest.raises(TimeoutError):
        second.enter(0.01)
    first.leave()
    third.enter(0)
    third.leave()


def test_one_who_has_just_been_inside_lets_the_waiting_one_in(gates):
    first, second, _ = gates
    order = []
    first.enter(0)

    def wait_for_it():
        second.enter(30)
        order.append("second")
        second.leave()

    waiting = threading.Thread(target=wait_for_it)
    waiting.start()
    until(lambda: not can_lock(gates[2]._files[0]))
    first.leave()
    first.enter(30)
    order.append("first")
    first.leave()
    waiting.join()
    assert order == ["second", "first"]


def test_a_killed_process_leaves_the_gate_open(gates, tmp_path):
    source = (
        "import sys; from pathlib import Path; from barograph.log.gate import WriterGate\n"
        "WriterGate(Path(sys.argv[1])).enter(0); print('in', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source, str(tmp_path / "locks")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"in\n"
    with pytest.raises(TimeoutError):
        gates[0].enter(0)
    process.kill()
    process.communicate()
    gates[0].enter(1)
    gates[0].leave()
