"""Ctrl-C and SIGTERM in every verb, at any moment: it is gone soon, in silence, and all stands."""

import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest
import typer

from barograph.app import cli
from barograph.cases.churn import invent
from barograph.log import open_log
from barograph.log.topics import FEATURES, PREDICTIONS, TICKS
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from candle_tables import csv_of, rows
from log_contents import total
from registered_models import facts_of, graph
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

LIMIT_S = 60.0
"""After which a verb must be gone; it takes up to 4.5 s, on a machine that does nothing else."""

AT_ONCE = 4
START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import barograph  # until here an interrupt is Python's own affair
print("begun", flush=True)
from barograph.app.cli import main
main()
"""

# The words of each verb, with {home}, {new} (another home), {market}, {people}, {candles},
# {backup}, {history} (a store) and {deaf} (a port).
WORDS = {
    "help": "models show",
    "settings": "--home {home}",
    "doctor": "--venue simulated --url ws://127.0.0.1:{deaf} --home {home}",
    "completion": "zsh",
    "demo": "--check --hours 1 --home {new}",
    "replay": "{market} --home {new}",
    "extract": "--url http://127.0.0.1:{deaf} --home {new}",
    "quality": "{candles} --home {new}",
    "forms": "{market}",
    "serve": "--port 0 --home {home}",
    "featurize": "--follow --home {home}",
    "candles": "--follow --home {home}",
    "score": "--follow --home {home}",
    "verify": "--home {home}",
    "up": "--venue simulated --products BTC-USD --port 0 --home {new}",
    "feed": "--venue simulated --url ws://127.0.0.1:{deaf} --products BTC-USD --home {new}",
    "simulate": "--port 0",
    "check-feature": "spikes --home {home}",
    "check": "--topic ticks.raw --min 1 --home {home}",
    "dataset": "--home {home}",
    "train": "--home {home} --folds 2",
    "predict": "{market} --out {new}/p.parquet --home {home}",
    "produce": "{people} --case churn --mode stream --rate 5 --home {new}",
    "consume": "--case churn --mode stream --home {new}",
    "rehearse": "--case churn --seconds 20 --home {new} --reports {new}/reports",
    "recover": "--home {home}",
    "service": "{new} --home {home}",
    "backup": "{new} --home {home}",
    "restore": "{backup} --home {new}",
    "models list": "--home {home}",
    "models show": "--home {home}",
    "models history": "--home {home}",
    "models promote": "1 --home {home}",
    "models rollback": "--home {home}",
    "report card": "--home {home}",
    "report compare": "--champion 1 --candidate 1 --home {home}",
    "report drift": "--home {home}",
    "report profile": "--home {home}",
    "topics create": "--home {new}",
    "topics list": "--home {home}",
    "topics dump": "ticks.raw --limit 1000000 --home {home}",
    "archive list": "--home {home}",
    "archive verify": "--home {home}",
    "archive compact": "--home {home}",
    "archive push": "{new}/history --home {home}",
    "archive pull": "{history} --home {new}",
    "alerts list": "--follow --home {home}",
    "alerts test": "--on-alert true --home {home}",
    "alerts run": "--home {home}",
    "deadletters list": "--home {home}",
    "deadletters show": "ticks.deadletter/0/0 --home {home}",
    "deadletters redrive": "--home {home}",
}
LONG = ["demo", "replay", "up", "dataset", "train", "rehearse"]


def verbs(command, path=()):
    """Every verb of the command line."""
    for name, each in command.commands.items():
        if hasattr(each, "commands"):
            yield from verbs(each, (*path, name))
        else:
            yield " ".join((*path, name))


def test_no_verb_is_forgotten_here():
    assert sorted(verbs(typer.main.get_command(cli.app))) == sorted(WORDS)


@pytest.fixture(scope="module")
def place(made_home, tmp_path_factory):
    """A home with 100 minutes of a market, its dataset and a champion; and files beside it."""
    place = tmp_path_factory.mktemp("stopped")
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, 1_750_000_000 * 10**9)
    frames = [frame.data for _ in range(100) for frame in market.advance(60)]
    (place / "market.ndjson").write_bytes(b"\n".join(frames) + b"\n")
    (place / "people.ndjson").write_bytes(b"".join(line + b"\n" for line in invent(1000, 1)))
    (place / "candles.csv").write_text(csv_of(rows(200)))
    home = shutil.copytree(made_home, place / "home")
    for words in (["replay", place / "market.ndjson"], ["dataset"]):
        process = begin([*map(str, words), "--home", str(home)])
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err.decode()
    registered(home)
    for words in (("backup", place / "backup"), ("archive", "push", place / "history")):
        code, _, err = Life(*words, "--home", home).end()
        assert code == 0, err.decode()
    return place


def registered(home):
    from barograph.registry.registry import Registry  # noqa: PLC0415 - beside what it is for

    registry, onnx = Registry(home), graph()
    registry.register("spikes", onnx, facts_of(onnx))
    registry.promote("spikes", 1, "the first")


def begin(words):
    process = subprocess.Popen(
        [sys.executable, "-c", START, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"begun\n"
    return process


@pytest.fixture(scope="module")
def deaf():
    """A port where somebody listens and never says anything."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def stopped(verb, place, deaf, number, at_s):
    """Begin a verb, and send it a signal at some moment. Asserts how it ends, and yields when."""
    home, new = (place / f"{verb.replace(' ', '-')}-{at_s:.6f}-{kind}" for kind in ("home", "new"))
    if "{home}" in WORDS[verb]:
        shutil.copytree(place / "home", home)
    words = WORDS[verb].format(
        home=home,
        new=new,
        market=place / "market.ndjson",
        people=place / "people.ndjson",
        candles=place / "candles.csv",
        backup=place / "backup",
        history=place / "history",
        deaf=deaf,
    )
    process = begin([*verb.split(), *words.split()])
    at_s += time.monotonic()
    try:
        yield
        until(lambda: time.monotonic() >= at_s or process.poll() is not None)
        process.send_signal(number)
        yield
        _, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"{verb} goes on {LIMIT_S} s after {number!r}: {process.communicate()}")
    finally:  # also where one beside it failed
        process.kill()
        process.communicate()
    assert b"Traceback" not in err, (verb, err.decode())
    # Negative: the signal came before the verb took it, and did what signals do to a process.
    ends = {0, 1, 2, 128 + number, -number}
    assert process.returncode in ends, (verb, process.returncode, err.decode())
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(new, ignore_errors=True)
    yield


def all_stopped(names, place, deaf, seed, latest_s):
    """These, some at a time, each at its own moment."""
    chance = random.Random(seed)
    for first in range(0, len(names), AT_ONCE):
        some = [
            stopped(
                verb,
                place,
                deaf,
                chance.choice([signal.SIGINT, signal.SIGTERM]),
                chance.uniform(0.15, latest_s),
            )
            for verb in names[first : first + AT_ONCE]
        ]
        for _ in range(3):
            for each in some:
                next(each)


def test_every_verb_is_gone_soon_after_a_signal(place, deaf):
    all_stopped(list(WORDS), place, deaf, seed=1, latest_s=2.0)


def test_what_takes_long_is_gone_soon_whatever_it_is_at(place, deaf):
    all_stopped(LONG, place, deaf, seed=2, latest_s=12.0)


def test_a_replay_that_was_stopped_again_and_again_comes_out_the_same(place):
    chance, home = random.Random(3), place / "again"
    words = ["replay", str(place / "market.ndjson"), "--home", str(home), "--json"]
    for _ in range(2):
        process = begin(words)
        at_s = time.monotonic() + chance.uniform(1.0, 6.0)
        until(lambda: time.monotonic() >= at_s or process.poll() is not None)  # noqa: B023 - now
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
        # Negative: it was done, and Python had given its handlers back already.
        assert process.returncode in {0, 130, -signal.SIGINT}, err.decode()
        assert b"Traceback" not in err
    process = begin(words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    assert json.loads(out)
    with closing(open_log(place / "home")) as straight, closing(open_log(home)) as stopped_log:
        for topic in (TICKS, FEATURES, PREDICTIONS):
            assert total(stopped_log, topic) == total(straight, topic) > 0
