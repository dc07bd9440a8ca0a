"""Six instruments through three brokers, while workers die and brokers go: exactly once."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import uuid
from collections import defaultdict
from contextlib import closing

import pytest

from barograph.log import open_log
from barograph.log.topics import DEAD_LETTERS, FEATURES, PREDICTIONS, TICKS, ensure_topics
from consumer import contents, wait_until

KILLS = 50
SLEEPS = {12: 19, 31: 38}
"""Moments at which a worker is stopped and at which it wakes: longer after than its lease."""

OUTAGES = {6: (1, "stop"), 16: (1, "start"), 26: (2, "kill"), 36: (2, "start")}
"""Moments at which a broker goes, and comes back."""

LEASE_S = 2.0
BAROGRAPH = [sys.executable, "-c", "from barograph.cli import main; main()"]
ROLES = ("featurize", "featurize", "score", "score", "replay")
LIMIT_S = 240.0
PAGE_RECORDS = 20_000


@pytest.fixture(scope="module")
def recording(data):
    return data / "benchmark" / "binance_bench_20240809.ndjson.gz"


@pytest.fixture(scope="module")
def expected(recording, tmp_path_factory):
    """What the embedded log says of the recording, by topic and key."""
    home = tmp_path_factory.mktemp("embedded")
    done = subprocess.run(
        [*BAROGRAPH, "replay", recording, "--home", home], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    with closing(open_log(home)) as log:
        return by_key(log)


def by_key(log):
    values = {topic: defaultdict(list) for topic in (TICKS, FEATURES, PREDICTIONS, DEAD_LETTERS)}
    for topic, of_topic in values.items():
        for extent in log.extents(topic):
            for record in contents(log, topic, extent.partition, PAGE_RECORDS):
                of_topic[record.key].append(record.value)
    return values


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
            "replay": ["replay", str(self.recording), "--no-stages", "--speed", "10"],
        }[role]
        return subprocess.Popen(
            [*BAROGRAPH, *arguments, "--log", self.address, "--home", str(self.home), "--json"],
            env={**os.environ, "BAROGRAPH_LEASE_S": str(LEASE_S)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def kill(self, place):
        role, process = self.at_work[place]
        process.kill()
        process.communicate()
        killed_at_work = process.returncode == -signal.SIGKILL
        # A replay that has ended has nothing left to do; all others go on for ever.
        assert killed_at_work or (role == "replay" and process.returncode == 0)
        self.at_work[place] = (role, self.start(role))
        return killed_at_work

    def sleep(self, moment, place):
        role, process = self.at_work[place]
        process.send_signal(signal.SIGSTOP)
        self.asleep[moment] = (role, process)
        self.at_work[place] = (role, self.start(role))

    def wake(self, moment):
        role, process = self.asleep.pop(moment)
        process.send_signal(signal.SIGCONT)
        self.at_work.append((role, process))

    def feed_is_done(self):
        role, process = self.at_work[ROLES.index("replay")]
        assert role == "replay"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.2)
        return process.returncode == 0

    def dismiss(self):
        """Tell all to stop; what they say they have done."""
        for _, process in self.at_work:
            process.terminate()
        answers = []
        for role, process in self.at_work:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, f"{role}: {err.decode()}"
            if role != "replay":
                answers.append(json.loads(out))
        return answers

    def close(self):
        for _, process in [*self.at_work, *self.asleep.values()]:
            process.kill()
            process.communicate()


def pause(process, seconds):
    """So long, or until the process ends."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)


def test_each_feature_and_prediction_stands_once_with_the_bytes_of_the_embedded_run(
    three_brokers, recording, expected, tmp_path
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
                    getattr(three_brokers, what)(broker)
                place = chance.randrange(len(ROLES))
                pause(crew.at_work[place][1], chance.uniform(0.2, 2.0))
                if moment in SLEEPS:
                    crew.sleep(SLEEPS[moment], chance.randrange(4))
                if moment in crew.asleep:
                    crew.wake(moment)
                at_work += crew.kill(place)
            assert at_work >= KILLS - 10
            wait_until(crew.feed_is_done, LIMIT_S)

            def all_done():
                crew.feed_is_done()
                return all(
                    sum(len(contents(log, topic, n, PAGE_RECORDS)) for n in range(3))
                    >= sum(map(len, expected[topic].values()))
                    for topic in (FEATURES, PREDICTIONS)
                )

            wait_until(all_done, LIMIT_S)
            answers = crew.dismiss()
        finally:
            crew.close()
        found = by_key(log)
    for topic, of_topic in expected.items():
        assert found[topic].keys() == of_topic.keys(), topic
        for key, values in of_topic.items():
            assert found[topic][key] == values, (topic, key)
    assert sum(answer["assigned"] for answer in answers) >= 6
    assert sum(answer["lag"] for answer in answers) == 0
