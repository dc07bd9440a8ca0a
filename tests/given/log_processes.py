"""The processes that die in `stories/test_log_crash.py`: what they do, and what they report."""

from barograph.errors import FencedError
from barograph.log import Topic, open_log
from barograph.types import Message, TopicPartition
from verb_processes import WARM, begin

LEASE_S = 1.0


def append(address, pipe):
    """Append 0, 1, 2, … for ever, in batches whose size follows from where they start."""
    log = open_log(address)
    log.create(Topic(name="numbers"))
    # A batch that the process before this one died in stands whole, or not at all.
    done = int(log.producer_checkpoints("append").get("done", b"0"))
    pipe.send(done)
    while True:
        end = done + 1 + done % 23
        log.append(
            [Message("numbers", "k", str(n).encode()) for n in range(done, end)],
            producer="append",
            checkpoints={"done": str(end).encode()},
        )
        done = end
        pipe.send(done)


def double(address, pipe, words=None):
    """Write 2n and the running sum of its partition for each number n; end after the last one.

    With `words` it sends so many at most, and then waits to be killed.
    """
    log = open_log(address, lease_s=LEASE_S)
    member = log.join("double", ["numbers"])
    sums, sent = {}, 1
    pipe.send("ready")
    while len(sums) < len(log.extents("numbers")) or any(member.lag().values()):
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
        pipe.send(len(outputs))
        sent += 1
        if sent == words:
            pipe.recv()
    log.close()


def hold(address, pipe):
    """Poll one record, wait for a word, commit, and say how it went."""
    log = open_log(address, lease_s=LEASE_S / 2)
    member = log.join("double", ["numbers"])
    while not member.poll(1, 1).records:
        pass
    pipe.send("polled")
    pipe.recv()
    try:
        member.commit([Message("doubles", "k", b"of one who slept")])
    except FencedError:
        pipe.send("fenced")
    log.close()


class Working(WARM.Process):
    """A process at one of these tasks, begun; it and its parent send messages through `pipe`."""

    def __init__(self, task, address):
        self.pipe, its = WARM.Pipe()
        super().__init__(target=task, args=(address, its), daemon=True)
        begin(self)
        its.close()
