import subprocess
import sys
import threading

import pytest

from barograph.log.gate import WriterGate, WriterQueue
from waiting import LIMIT_S, until


@pytest.fixture
def gates(tmp_path):
    three = [WriterGate(tmp_path / "locks") for _ in range(3)]
    yield three
    for each in three:
        each.close()


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
    until(lambda: first.queue.waiting)
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


def test_threads_get_the_queue_in_the_order_in_which_they_came():
    queue, order, threads = WriterQueue(), [], []
    queue.acquire(0)

    def take(number):
        queue.acquire(LIMIT_S)
        order.append(number)
        queue.release()

    for number in range(5):
        threads.append(threading.Thread(target=take, args=(number,)))
        threads[-1].start()
        until(lambda: queue.waiting == len(threads))
    queue.release()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_one_who_gave_up_its_place_in_the_queue_is_not_waited_for():
    queue = WriterQueue()
    queue.acquire(0)
    with pytest.raises(TimeoutError):
        queue.acquire(0.01)
    assert not queue.waiting
    queue.release()
    queue.acquire(0)
    queue.release()


def test_one_whose_turn_comes_as_it_gives_up_has_it():
    queue, inside = WriterQueue(), []

    def take():
        for _ in range(200):
            try:
                queue.acquire(0.0001)
            except TimeoutError:
                continue
            inside.append(1)
            assert len(inside) == 1
            inside.pop()
            queue.release()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.acquire(0)  # nobody left it locked


def test_gates_of_one_folder_share_a_queue_and_others_do_not(gates, tmp_path):
    first, second, _ = gates
    assert first.queue is second.queue
    other = WriterGate(tmp_path / "others")
    assert other.queue is not first.queue
    other.close()
