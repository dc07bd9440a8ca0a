"""The brokers that other stories run on: they start, stop, catch up and never outlive a run."""

import re
import signal
import socket
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

import brokers
from barograph.log import Topic, open_log
from log_consumer import contents, messages, numbers
from waiting import until

pytestmark = pytest.mark.operations

SCRIPT = brokers.__file__


def append_numbers(address, count, start=0):
    """Append numbers to the topic `ticks` of a log that is opened for this alone."""
    with closing(open_log(address)) as log:
        log.create(Topic(name="ticks"))
        log.append(messages(count, start=start))


def numbers_and_extent(address):
    """The numbers in the topic `ticks`, and its extent."""
    with closing(open_log(address)) as log:
        return numbers(contents(log, "ticks")), log.extents("ticks")[0]


@pytest.fixture
def namespace():
    return f"test-{uuid.uuid4().hex}"


def test_a_broker_takes_records_and_gives_them_back(kafka, namespace):
    address = f"kafka://{kafka}/{namespace}"
    append_numbers(address, 3)
    assert numbers_and_extent(address)[0] == [0, 1, 2]


def test_a_cluster_writes_while_one_is_stopped_or_killed_and_the_one_catches_up(
    three_brokers, namespace
):
    address = f"kafka://{three_brokers.address}/{namespace}"
    append_numbers(address, 10)
    for turn, leave in enumerate([three_brokers.stop, three_brokers.kill], 1):
        leave(turn)
        append_numbers(address, 10, start=10 * turn)
        stored, extent = numbers_and_extent(address)
        assert (stored, extent.replicas) == (list(range(10 * turn + 10)), 3)
        until(lambda: numbers_and_extent(address)[1].in_sync == 2)
        three_brokers.start(turn)
        three_brokers.wait_ready()
        three_brokers.wait_in_sync()
        until(lambda: numbers_and_extent(address)[1].in_sync == 3)


@pytest.fixture
def script(jars, tmp_path):  # noqa: ARG001 - the skip
    """Starts the script on a port of its own; returns the process once it says that it is ready."""
    [port] = brokers.free_ports(1)
    started = []

    def run():
        process = subprocess.Popen(
            [sys.executable, SCRIPT, "--port", str(port), "--folder", tmp_path / "kept"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        [address] = re.findall(r"--log (kafka://\S+)", process.stdout.readline())
        assert address == f"kafka://{brokers.HOST}:{port}"
        return process, address

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_the_script_keeps_records_and_a_killed_one_leaves_no_broker(script):
    process, address = script()
    append_numbers(address, 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(brokers.STOP_LIMIT_S) == 0
    process, address = script()
    assert numbers_and_extent(address)[0] == [0, 1, 2]
    process.kill()
    until(lambda: not brokers.is_in_use(int(address.rpartition(":")[2])))


@pytest.mark.usefixtures("jars")
def test_the_script_says_in_one_line_that_its_port_is_in_use(tmp_path):
    with socket.create_server((brokers.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, SCRIPT, "--port", str(port), "--folder", tmp_path],
            capture_output=True,
            check=False,
            text=True,
        )
    assert done.returncode == 1
    assert re.fullmatch(rf"brokers\.py: port {port} of 127\.0\.0\.1 is in use: .+\n", done.stderr)


@pytest.mark.usefixtures("jars")
def test_a_broker_that_cannot_start_shows_the_end_of_its_log(tmp_path):
    kept = tmp_path / "broker-0" / "data" / "meta.properties"
    kept.parent.mkdir(parents=True)
    kept.write_text("version=none\n")
    with pytest.raises(
        brokers.BrokerError, match=r"(?s)Broker 0 ended with 1:\n.*meta\.properties"
    ):
        brokers.Brokers(tmp_path)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Puts programs of a test's own before those of the machine, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def put(name, *lines):
        path = folder / name
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)

    put("java", "echo 'openjdk version \"21.0.1\" 2025' >&2")
    return put


def test_jars_are_fetched_once_by_any_number_at_once_and_after_a_failure(programs, tmp_path):
    programs("mvn", "echo no route; exit 1")
    with pytest.raises(brokers.BrokerError, match="could not fetch Kafka's jars:\nno route"):
        brokers.fetch()
    programs(
        "mvn",
        f"echo once >> {tmp_path}/calls",
        'for word in "$@"; do case $word in -DoutputDirectory=*) to=${word#*=};; esac; done',
        'mkdir "$to" && touch "$to/kafka.jar"',
    )
    with ThreadPoolExecutor(4) as pool:
        [folder] = {*pool.map(lambda _: brokers.fetch(), range(4))}
    assert [path.name for path in folder.iterdir()] == ["kafka.jar"]
    assert (tmp_path / "calls").read_text() == "once\n"
    assert {path.suffix for path in folder.parent.iterdir()} == {"", ".lock"}


@pytest.mark.parametrize(
    ("java", "mvn", "message"),
    [
        ("exit 127", "", "there is no Java 17"),
        ("echo 'openjdk version \"11.0.2\" 2019' >&2", "", "there is no Java 17"),
        ("echo 'openjdk version \"17.0.2\" 2022' >&2", None, "there is no Maven"),
        ("echo 'openjdk version \"25\" 2025' >&2", "", ""),
    ],
)
def test_a_program_that_a_broker_needs_and_lacks_is_named(
    programs, monkeypatch, tmp_path, java, mvn, message
):
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin-of-nobody")
    programs("java", java)
    if mvn is not None:
        programs("mvn", mvn)
    assert brokers.missing().startswith(message)
    assert bool(brokers.missing()) == bool(message)
