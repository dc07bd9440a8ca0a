"""The processes that die in `test_log_crash.py`: `python log_processes.py append|double|hold HOME`.

A file of its own, because one that imports pytest takes several times as long to start.
"""

import os
import sys
from pathlib import Path

from barograph.errors import FencedError
from barograph.log import Topic
from barograph.log.sqlite import SqliteLog
from barograph.types import Message, TopicPartition


def say(word):
    os.write(1, f"{word}\n".encode())


def log_at(home, lease_s=30.0):
    return SqliteLog(home / "log.sqlite", lease_s=lease_s)


def append(home):
    """Append 0, 1, 2, … for ever, in batches whose size follows from where they start."""
    log = log_at(home)
    log.create(Topic(name="numbers"))
    done = log.extents("numbers")[0].next
    say(done)
    while True:
        end = done + 1 + done % 23
        log.append(Message("numbers", "k", str(n).encode()) for n in range(done, end))
        done = end
        say(done)


def double(home):
    """Write 2n and the running sum of its partition for each number n; end after the last one."""
    log = log_at(home)
    member = log.join("double", ["numbers"])
    sums = {}
    say("ready")
    while not sums or any(member.lag().values()):
        batch = member.poll(7, 1)
        for place, checkpoints in batch.assigned.items():
            sums[place] = int(checkpoints.get("sum", b"0"))
        outputs = []
        for record in batch.records:
            place = TopicPartition(record.topic, record.partition)
            sums[place] += int(record.value)
            value = f"{2 * int(record.value)} {sums[place]}"
            outputs.append(Message("doubles", record.key, value.encode()))
        member.commit(
            outputs, {place: {"sum": str(total).encode()} for place, total in sums.items()}
        )
        say(len(outputs))
    log.close()


def hold(home):
    """Poll one record, wait for a word, commit, and say how it went."""
    log = log_at(home, lease_s=0.5)
    member = log.join("double", ["numbers"])
    while not member.poll(1, 1).records:
        pass
    say("polled")
    sys.stdin.readline()
    try:
        member.commit([Message("doubles", "k", b"of one who slept")])
    except FencedError:
        say("fenced")
    log.close()


if __name__ == "__main__":
    {"append": append, "double": double, "hold": hold}[sys.argv[1]](Path(sys.argv[2]))
