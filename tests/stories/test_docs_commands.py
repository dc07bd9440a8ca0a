"""The commands of the pages, run as they stand, in their order, in one folder.

A block whose first line names what it needs is not run, but for Kafka where a broker is there.
"""

import functools
import json
import os
import re
import shlex
import uuid
from pathlib import Path

import pytest
import typer

from barograph.app.cli import app
from barograph.cases.churn import invent
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from candle_tables import csv_of, rows
from local_ports import free_port, listens
from page_commands import answer
from verb_processes import Life
from verb_words import verbs
from waiting import until

DOCS = Path(__file__).parents[2] / "docs"
RUN = ("quick-start", "tutorial", "how-to", "operations", "coming-from", "faq", "history")
PAGES = (*RUN, "alerts", "ci")
"""Of the last two nothing is run; the words of their commands are looked at."""

NOT_RUN = {
    "# takes minutes": "each is run by a story of its own: demo, training, rehearsal, reports",
    "# takes minutes, once": "`make install` is how these tests came to run",
    "# needs the internet": "a service of others",
    "# needs a sink of yours": "tests/app/alerting/ and tests/stories/test_alerts_of_up.py send",
    "# needs a server of MLflow": "tests/stories/test_registry_on_a_server.py has one",
    "# needs a bucket": "tests/stories/test_registry_in_a_bucket.py has one",
    "# needs the extra spark": "tests/stories/test_dataset_on_spark.py has it",
    "# needs root": "it changes this machine; tests/stories/test_service.py runs the unit",
}
"""First line of a block that is not run, and why."""

PORTS = ("8765", "8123")
"""Ports of the pages, in whose place the tests take free ones."""

KAFKA = "# needs Kafka at 127.0.0.1:9092"

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks():
    """(page, block) of every block of commands, in the order in which they are run."""
    return [
        (page, block)
        for page in PAGES
        for block in _BLOCK.findall((DOCS / f"{page}.md").read_text(encoding="utf-8"))
    ]


def lines(block):
    """The commands of a block, without what is said about them."""
    plain = (re.sub(r"(^|\s+)# .*", "", line) for line in block.splitlines())
    return [line for line in plain if line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the commands run, with the files that a reader brings."""
    path = tmp_path_factory.mktemp("docs")
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, 1_750_000_000 * 10**9)
    frames = b"".join(frame.data + b"\n" for frame in market.advance(900))
    (path / "recording.ndjson").write_bytes(frames)
    (path / "customers.ndjson").write_bytes(b"\n".join((*invent(800, 1), b"")))
    (path / "candles.csv").write_text(csv_of(rows(200)))
    return path


class Shell:
    """Runs lines, each to its end or, where it ends with `&`, beside those that follow."""

    def __init__(self):
        self._ports = {port: str(free_port()) for port in PORTS}
        self._beside = []

    def run(self, line):
        """Run a line to its end; where it ends with `&`, until its port takes connections."""
        for named, free in self._ports.items():
            line = line.replace(named, free)
        if line.endswith(" &"):
            words = shlex.split(line.removesuffix(" &"))[1:]
            self._beside.append(Life(*words))
            port = int(words[words.index("--port") + 1])
            until(functools.partial(listens, port))
            return
        answer(line)

    def end(self):
        """End what runs beside."""
        while self._beside:
            self._beside.pop().kill()


@pytest.fixture
def shell(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("BAROGRAPH_")]:
        monkeypatch.delenv(name)
    begun = Shell()
    yield begun
    begun.end()


@pytest.mark.parametrize("page", RUN)
def test_every_command_of_a_page_runs(shell, page):
    """In the order of the pages: each goes on where the one before ended."""
    for name, block in blocks():
        first = block.splitlines()[0]
        if name == page and first not in NOT_RUN and first != KAFKA:
            for line in lines(block):
                shell.run(line)
            shell.end()


def test_what_is_for_kafka_runs_on_a_broker(shell, kafka):
    address = f"{kafka}/{uuid.uuid4().hex}"
    of_kafka = [block for _, block in blocks() if block.startswith(KAFKA)]
    assert of_kafka
    for block in of_kafka:
        for line in lines(block):
            shell.run(line.replace("127.0.0.1:9092/docs", address))


def test_what_is_not_run_says_why_and_names_options_that_exist():
    """A block that begins with a comment names what it needs, in words of `NOT_RUN`."""
    known = options()
    wrong = []
    for page, block in blocks():
        first = block.splitlines()[0]
        if first.startswith("# ") and first not in {*NOT_RUN, KAFKA}:
            wrong.append(f"{page}: {first}")
        for line in lines(block):
            if not re.match(r"barograph (?!-)", line):
                continue
            begun = [verb for verb in known if f"{line} ".startswith(f"barograph {verb} ")]
            used = {word for word in line.split() if word.startswith("--")}
            if not begun or used - known[max(begun, key=len)]:
                wrong.append(f"{page}: {line}")
    assert wrong == []


def options():
    """Verb → the options that it has."""
    known = {}
    for verb in verbs():
        command = typer.main.get_command(app)
        for word in verb.split():
            command = command.commands[word]
        known[verb] = {name for option in command.params for name in option.opts} | {"--help"}
        known[verb] |= {name for option in command.params for name in option.secondary_opts}
    return known


def test_every_verb_has_its_job_in_the_how_to():
    text = (DOCS / "how-to.md").read_text(encoding="utf-8")
    start = (DOCS / "quick-start.md").read_text(encoding="utf-8")
    assert [verb for verb in verbs() if f"barograph {verb}" not in text + start] == []


@pytest.mark.usefixtures("shell")
def test_the_first_predictions_of_the_quick_start_are_warming_up(folder):
    """What the page says of them is so; a slow machine may have none yet."""
    home = folder / "H"
    assert home.is_dir()
    dumped = Life("topics", "dump", "ticks.predictions", "--limit", "5", "--home", home).answer()
    verdicts = {json.loads(line)["value"]["verdict"] for line in dumped.splitlines()}
    assert verdicts <= {"WARMUP"}
