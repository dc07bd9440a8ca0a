"""Six instruments through three brokers, while workers die and brokers go: exactly once."""

import json
import os
import random
import signal
import uuid
from collections import defaultdict
from contextlib import closing

import pytest

from barograph.log import Topic, open_log
from barograph.log.topics import DEAD_LETTERS, FEATURES, PREDICTIONS, TICKS, ensure_topics
from log_consumer import contents, messages
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

KILLS = 50
SLEEPS = {12: 19, 31: 38}
"""Moments at which a worker is stopped and at which it wakes: longer after than its lease."""

OUTAGES = {6: (1, "stop"), 16: (1, "start"), 26: (2, "kill"), 36: (2, "start")}
"""Moments at which a broker goes, and comes back."""

LEASE_S = 2.0
SPEED = 20
"""Of the replay: what the kills have left of it takes no longer than they."""
ROLES = ("featurize", "featurize", "score", "score", "replay")
LIMIT_S = 240.0
PAGE_RECORDS = 20_000


@pytest.fixture
def recording(data):
    return data / "benchmark" / "binance_bench_20240809.ndjson.gz"


@pytest.fixture
def expected(recording, tmp_path):
    """What the embedded log says of the recording, by topic and key: begun now, asked for later."""
    home = tmp_path / "embedded"
    life = Life("replay", recording, "--home", home)

    def contents_by_key():
        life.answer()
        with closing(open_log(home)) as log:
            return by_key(log)

    return contents_by_key


def by_key(log):
    values = {topic: defaultdict(list) for topic in (TICKS, FEATURES, PREDICTIONS, DEAD_LETTERS)}
    for topic, of_topic in values.items():
        for extent in log.extents(topic):
            for record in contents(log, topic, extent.partition, PAGE_RECORDS):
                of_topic[record.key].append(record.value)
    return values


class Counted:
    """How many records a partition holds; each is read once, since a wait asks often."""

    def __init__(self, log, topic, partition):
        self._log, self._place, self._next, self._count = log, (topic, partition), 0, 0

    def now(self):
        more = contents(self._log, *self._place, PAGE_RECORDS, self._next)
        self._next = more[-1].offset + 1 if more else self._next
        self._count += len(more)
        return self._count


class Crew:
    """The processes at work, one of each role that is named; those that die are replaced."""

    def __init__(self, address, home, recording):
        self.address, self.home, self.recording = address, home, recording
        self.at_work = [(role, self.start(role)) for role in ROLES]
        self.asleep = {}

    def start(self, role):
        arguments = {
            "featurize": ["featurize", "--follow"],
            "score": ["score", "--follow"],
            "replay": ["replay", self.recording, "--no-stages", "--speed", SPEED],
        }[role]
        places = ("--log", self.address, "--home", self.home, "--json")
        return Life(*arguments, *places, BAROGRAPH_LEASE_S=str(LEASE_S))

    def kill(self, place):
        role, life = self.at_work[place]
        killed_at_work = life.kill()
        # A replay that has ended has nothing left to do; all others go on for ever.
        assert killed_at_work or (role == "replay" and life.exitcode == 0)
        self.at_work[place] = (role, self.start(role))
        return killed_at_work

    def sleep(self, moment, place):
        role, life = self.at_work[place]
        os.kill(life.pid, signal.SIGSTOP)
        self.asleep[moment] = (role, life)
        self.at_work[place] = (role, self.start(role))

    def wake(self, moment):
        role, life = self.asleep.pop(moment)
        os.kill(life.pid, signal.SIGCONT)
        self.at_work.append((role, life))

    def feed_is_done(self):
        role, life = self.at_work[ROLES.index("replay")]
        assert role == "replay"
        life.join(0.2)
        return life.exitcode == 0

    def dismiss(self):
        """Tell all to stop; what they say they have done."""
        for _, life in self.at_work:
            life.terminate()
        answers = [(role, life.answer()) for role, life in self.at_work]
        return [json.loads(answer) for role, answer in answers if role != "replay"]

    def close(self):
        for _, life in [*self.at_work, *self.asleep.values()]:
            life.kill()


def test_each_feature_and_prediction_stands_once_with_the_bytes_of_the_embedded_run(
    expected, three_brokers, recording, tmp_path
):
    address = f"kafka://{three_brokers.address}/test-{uuid.uuid4().hex}"
    chance = random.Random(20240809)
    with closing(open_log(address)) as log:
        ensure_topics(log, partitions=3)
        assert {extent.replicas for extent in log.extents(FEATURES)} == {3}
        crew = Crew(address, tmp_path / "home", recording)
        try:
            at_work = 0
            for moment in range(KILLS):
                if moment in OUTAGES:
                    broker, what = OUTAGES[moment]
                    if what == "kill":  # of three, one may be away
                        three_brokers.wait_ready()
                        three_brokers.wait_in_sync()
                    getattr(three_brokers, what)(broker)
                place = chance.randrange(len(ROLES))
                crew.at_work[place][1].join(chance.uniform(0.2, 2.0))
                if moment in SLEEPS:
                    crew.sleep(SLEEPS[moment], chance.randrange(4))
                if moment in crew.asleep:
                    crew.wake(moment)
                at_work += crew.kill(place)
            # All but replays that had come to their end.
            assert at_work > KILLS // 2
            until(crew.feed_is_done, LIMIT_S)
            values = expected()

            counted = {
                (topic, n): Counted(log, topic, n)
                for topic in (FEATURES, PREDICTIONS)
                for n in range(3)
            }

            def all_done():
                crew.feed_is_done()
                return all(
                    sum(counted[topic, n].now() for n in range(3))
                    >= sum(map(len, values[topic].values()))
                    for topic in (FEATURES, PREDICTIONS)
                )

            until(all_done, LIMIT_S)
            answers = crew.dismiss()
        finally:
            crew.close()
        actual = by_key(log)
    for topic, of_topic in values.items():
        assert actual[topic].keys() == of_topic.keys(), topic
        for key, of_key in of_topic.items():
            assert actual[topic][key] == of_key, (topic, key)
    assert sum(answer["assigned"] for answer in answers) >= 6
    assert sum(answer["lag"] for answer in answers) == 0


def test_who_knew_a_broker_before_it_died_hears_the_truth_of_those_that_are_left(three_brokers):
    three_brokers.wait_in_sync()
    address = f"kafka://{three_brokers.address}/test-{uuid.uuid4().hex}"
    with closing(open_log(address)) as log:
        log.create(Topic(name="ticks", partitions=3))
        log.append([each for key in "abcdefgh" for each in messages(9, key=key)])

        def extents():
            return [
                (extent.oldest, extent.next, len(contents(log, "ticks", extent.partition)))
                for extent in log.extents("ticks")
            ]

        # What can be read has the mark of its transaction's end behind it.
        assert sum(count for _, _, count in extents()) == 8 * 9
        known = extents()
        three_brokers.kill(0)
        assert extents() == known
