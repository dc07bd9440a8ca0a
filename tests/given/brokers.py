"""Real Kafka brokers in KRaft mode, from the jars that `tests/given/kafka/pom.xml` names.

For tests, and as a script for whoever wants to try one:
`python tests/given/brokers.py [--brokers 3] [--port 9092]` runs brokers until Ctrl-C and
keeps what they hold; `--fetch` only brings the jars. Needs Java 17, and Maven until the jars are in
the cache.
"""

import argparse
import base64
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from itertools import islice
from pathlib import Path
from random import SystemRandom
from xml.etree import ElementTree as ET

POM = Path(__file__).parent / "kafka" / "pom.xml"
LOG4J, SETTINGS = POM.with_name("log4j2.properties"), POM.with_name("server.properties")
HOST = "127.0.0.1"
JAVA = 17
ALONE = "\nmetadata.max.idle.interval.ms=5000\n"
"""Of a cluster of one: it need not record twice a second that it is idle, half of its work then."""
FETCH_LIMIT_S, FORMAT_LIMIT_S, READY_LIMIT_S, STOP_LIMIT_S = 900, 60, 90, 30
TAIL_LINES = 25

# Below the ports that systems give to outgoing connections: none of those takes a broker's port
# while it is stopped. Each process has a share: two that start at once choose apart.
FIRST_PORT, PORTS_OF_EACH, SHARES = 20_000, 120, 100


class BrokerError(Exception):
    """There is no broker; the text says why and what to do."""


def missing() -> str:
    """Why no broker can run here; empty if one can."""
    if importlib.util.find_spec("confluent_kafka") is None:
        return "confluent-kafka is not installed: `make test` installs it"
    printed = ""
    with contextlib.suppress(OSError):
        printed = subprocess.run(
            ["java", "-version"], capture_output=True, check=False, text=True
        ).stderr
    java = re.search(r'version "(\d+)', printed)
    if java is None or int(java[1]) < JAVA:
        return f"there is no Java {JAVA} or newer. On Debian: apt-get install default-jre-headless"
    if not _jars().is_dir() and shutil.which("mvn") is None:
        return "there is no Maven to fetch Kafka's jars. On Debian: apt-get install maven"
    return ""


def version() -> str:
    """The version of Kafka that is started."""
    name = {"m": "http://maven.apache.org/POM/4.0.0"}
    return ET.parse(POM).findtext(".//m:dependency/m:version", namespaces=name)  # noqa: S314 - ours


def fetch() -> Path:
    """The folder of jars; Maven fetches them the first time. Any number of processes may call.

    Raises BrokerError if something is missing, or Maven fails.
    """
    if reason := missing():
        raise BrokerError(reason)
    jars = _jars()
    jars.parent.mkdir(parents=True, exist_ok=True)
    with jars.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _fetch_into(jars)
    return jars


def _jars():
    """Beside no work tree, and named by the pom: CI, clones and users share what is the same."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "barograph"
    return cache / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def _fetch_into(jars):
    with tempfile.TemporaryDirectory(dir=jars.parent) as folder:
        command = ["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies"]
        try:
            done = subprocess.run(
                [*command, f"-DoutputDirectory={folder}/jars"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
                text=True,
                timeout=FETCH_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            raise BrokerError(f"Maven did not fetch Kafka's jars in {FETCH_LIMIT_S} s") from None
        if done.returncode:
            raise BrokerError(f"Maven could not fetch Kafka's jars:\n{_last_lines(done.stdout)}")
        (Path(folder) / "jars").rename(jars)


def _last_lines(text):
    return "\n".join(text.splitlines()[-TAIL_LINES:])


def free_ports(count, *, without=()):
    """Ports of the loopback where nothing listens."""
    first = FIRST_PORT + os.getpid() % SHARES * PORTS_OF_EACH
    free = (
        port
        # Not of `random`, which tests seed.
        for port in SystemRandom().sample(range(first, first + PORTS_OF_EACH), PORTS_OF_EACH)
        if port not in without and not is_in_use(port)
    )
    return list(islice(free, count))


def is_in_use(port):
    with socket.socket() as probe:
        # What a connection leaves behind when it ends is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


class Brokers:
    """A cluster of one or more brokers, numbered from 0, each of them a controller too.

    `folder` keeps what they hold and their logs; brokers that find theirs there go on with it.
    None outlives the process that started it, whatever it dies of. `lasting` ones are to run for
    minutes: they take twice the processor's time to start, and less of it later. `settings` are
    lines that go after those of `server.properties`, and over them.
    """

    def __init__(self, folder, count=1, ports=(), *, lasting=False, settings="", reserved=()):
        self.folder, self.count, self._more = Path(folder), count, settings
        self._compiler = [] if lasting else ["-XX:TieredStopAtLevel=1"]
        self._ports = list(ports) or free_ports(count)
        taken = [port for port in self._ports if is_in_use(port)]
        if taken:
            raise BrokerError(
                f"port {taken[0]} of {HOST} is in use: stop what listens there, or choose another"
            )
        self._controllers = free_ports(count, without=[*self._ports, *reserved])
        self._jars = fetch()
        self._processes = {}
        # Reads until whoever holds the other end is gone, then ends the group that it leads.
        self._guard = subprocess.Popen(
            ["sh", "-c", "read _; kill -KILL 0"], stdin=subprocess.PIPE, process_group=0
        )
        try:
            self._format()
            for number in range(count):
                self.start(number)
            self.wait_ready()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def address(self):
        """Where the brokers listen: "host:port,host:port"."""
        return ",".join(f"{HOST}:{port}" for port in self._ports)

    def start(self, number):
        """Start a broker that does not run; `wait_ready` says when it is there."""
        self._processes[number] = self._java(number, "kafka.Kafka", self._settings(number))

    def stop(self, number):
        """Stop a broker in good order: it hands over what it leads."""
        process = self._processes.pop(number)
        process.terminate()
        self._wait(process, number, STOP_LIMIT_S, "did not stop")

    def kill(self, number):
        """Stop a broker where it stands."""
        process = self._processes.pop(number)
        process.kill()
        process.wait()

    def wait_ready(self):
        """Until each broker that runs counts all of them, and none that does not run."""
        self._wait_until(
            lambda metadata: (
                {broker.port for broker in metadata.brokers.values()} == self._running()
            ),
            "The brokers did not find each other",
        )

    def wait_in_sync(self):
        """Until every partition has all its replicas again, so that another broker may go."""
        self._wait_until(
            lambda metadata: all(
                len(partition.isrs) == len(partition.replicas)
                for topic in metadata.topics.values()
                for partition in topic.partitions.values()
            ),
            "The brokers did not catch up",
        )

    def wait(self):
        """Until a broker ends by itself, which none should; raises BrokerError then."""
        while True:
            self._look(1)

    def close(self, *, limit_s=0.0):
        """End all brokers: in good order within `limit_s`, and then where they stand."""
        end_s = time.monotonic() + limit_s
        for process in self._processes.values() if limit_s else ():
            process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0, end_s - time.monotonic()))
        self._guard.stdin.close()
        self._guard.wait()
        for process in self._processes.values():
            process.wait()
        self._processes.clear()

    def _wait_until(self, condition, failure):
        """Ask each running broker until its answer fulfils the condition."""
        from confluent_kafka import KafkaException  # noqa: PLC0415 - an extra
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - as above

        end_s = time.monotonic() + READY_LIMIT_S
        for number in sorted(self._processes):
            admin = AdminClient(
                {
                    "bootstrap.servers": f"{HOST}:{self._ports[number]}",
                    "log_level": 0,
                    "reconnect.backoff.max.ms": 250,
                    "allow.auto.create.topics": False,
                }
            )
            while True:
                with contextlib.suppress(KafkaException):  # it does not listen yet
                    if condition(admin.list_topics(timeout=1)):
                        break
                self._look(0.05)
                if time.monotonic() > end_s:
                    raise BrokerError(f"{failure} in {READY_LIMIT_S} s:\n{self._tail(number)}")

    def _look(self, seconds):
        """Wait a little; raises BrokerError if a broker that should run does not."""
        for number, process in self._processes.items():
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(seconds / len(self._processes))
                raise BrokerError(f"Broker {number} ended with {code}:\n{self._tail(number)}")

    def _wait(self, process, number, limit_s, failure):
        """Until it ends; its exit code."""
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise BrokerError(
                f"Broker {number} {failure} in {limit_s} s:\n{self._tail(number)}"
            ) from None

    def _running(self):
        return {self._ports[number] for number in self._processes}

    def _java(self, number, *words):
        """A Java process of a broker, which writes to the broker's log."""
        with self._log(number).open("ab") as log:
            return subprocess.Popen(
                [
                    "java",
                    "-Xmx384m",
                    "-XX:+UseSerialGC",
                    *self._compiler,
                    f"-Dlog4j2.configurationFile={LOG4J}",
                    "-cp",
                    f"{self._jars}/*",
                    *words,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=self._guard.pid,
            )

    def _format(self):
        """Write the settings, and give the folders that have none the identity of one cluster."""
        cluster = "b" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        for number in range(self.count):
            self._home(number).mkdir(parents=True, exist_ok=True)
            self._settings(number).write_text(self._properties(number), encoding="utf-8")
            if not (self._home(number) / "data" / "meta.properties").exists():
                words = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c"]
                self._processes[number] = self._java(number, *words, self._settings(number))
        for number in list(self._processes):
            failure = "could not be formatted"
            if self._wait(self._processes.pop(number), number, FORMAT_LIMIT_S, failure):
                raise BrokerError(f"Broker {number} {failure}:\n{self._tail(number)}")

    def _home(self, number):
        return self.folder / f"broker-{number}"

    def _settings(self, number):
        return self._home(number) / "server.properties"

    def _log(self, number):
        return self._home(number) / "broker.log"

    def _tail(self, number):
        path = self._log(number)
        lines = _last_lines(path.read_text("utf-8", "replace")) if path.exists() else ""
        return lines or f"(nothing in {path})"

    def _properties(self, number):
        replicas = min(3, self.count)
        voters = (f"{n + 1}@{HOST}:{port}" for n, port in enumerate(self._controllers))
        more = self._more if self.count > 1 else ALONE + self._more
        return (SETTINGS.read_text(encoding="utf-8") + more).format(
            node=number + 1,
            host=HOST,
            port=self._ports[number],
            controller=self._controllers[number],
            voters=",".join(voters),
            data=self._home(number) / "data",
            replicas=replicas,
            in_sync=max(1, replicas - 1),
        )


def main(arguments=None):
    """Run brokers in the foreground until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="brokers.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--port", type=_port, default=9092, help="of the first broker")
    parser.add_argument("--folder", type=Path, default=Path("kafka-data"), help="what is kept")
    parser.add_argument("--fetch", action="store_true", help="only fetch the jars")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.fetch:
            print(f"Kafka {version()} is in {fetch()}")
            return 0
        return _run(options)
    except (BrokerError, OSError) as error:
        print(f"brokers.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _port(text):
    if not text.isdecimal() or not 1024 <= int(text) < 65_500:
        raise argparse.ArgumentTypeError("a port is a number from 1024 to 65499")
    return int(text)


def _run(options):
    ports = range(options.port, options.port + options.brokers)
    folder = options.folder.resolve() / f"{options.brokers}-brokers"
    if not _jars().is_dir():
        print("Fetching Kafka's jars, 45 MB, once", file=sys.stderr)
    brokers = Brokers(folder, options.brokers, ports, lasting=True)
    try:
        print(
            f"Kafka {version()} is ready: --log kafka://{brokers.address}\n"
            f"It keeps what it holds in {folder}; Ctrl-C stops it.",
            flush=True,
        )
        brokers.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        brokers.close(limit_s=STOP_LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
