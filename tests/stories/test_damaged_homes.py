"""One thing of a home is damaged, and every verb that reads it is run: the table of both.

Each ends: with the same answer as ever, or one in which the damage is named, or one line that
names what is damaged and a cure. In one process: what is damaged is a file, not the process.
"""

import os
import re
import shutil
import sqlite3
import sys
from contextlib import closing

import pytest

from barograph.app.cli import run
from verb_words import CHURN, words_of

pytestmark = pytest.mark.operations

PAGE = 4096
LOG = (
    "check", "consume", "deadletters list", "deadletters show", "featurize", "topics dump",
    "topics list", "verify",
)  # fmt: skip
ARCHIVE = ("archive list", "archive verify", "dataset", "recover")
REGISTRY = ("models list", "models show", "models history", "score")
COUNTS = {"verify", "archive verify", "check"}
"""Their answer may be no, with exit code 1."""


def flipped(start, length):
    """Every bit of some bytes is another; a negative start counts from the end."""

    def damage(path):
        content = bytearray(path.read_bytes())
        first = start if start >= 0 else len(content) + start
        for place in range(first, min(first + length, len(content))):
            content[place] ^= 0xFF
        path.write_bytes(content)

    return damage


def middle(length, part=0.5):
    def damage(path):
        first = int(path.stat().st_size * part) // PAGE * PAGE if length == PAGE else None
        flipped(int(path.stat().st_size * part) if first is None else first, length)(path)

    return damage


def cut(part):
    return lambda path: os.truncate(path, int(path.stat().st_size * part))


def filled(content):
    return lambda path: path.write_bytes(content)


def gone(path):
    path.unlink()


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def endless(path):
    path.unlink()
    path.symlink_to("/dev/zero")


GARBAGE = filled(b"\x00\xffgarbage\n" * 1000)
JSON = {
    "garbage": GARBAGE, "half": cut(0.5), "null": filled(b"null"), "deep": filled(b"[" * 100_000),
    "a folder": folder, "a pipe": pipe, "endless": endless,
}  # fmt: skip
BASE = {
    "magic": flipped(0, 16), "header": flipped(16, 84), "schema": flipped(100, 60),
    "half": cut(0.5), "garbage": GARBAGE, "nothing": cut(0), "a folder": folder,
}  # fmt: skip
PACKED = {
    "magic": flipped(0, 2), "header": flipped(10, 4), "middle": middle(4), "sum": flipped(-4, 4),
    "half": cut(0.5), "nothing": cut(0), "garbage": GARBAGE, "a folder": folder,
    "a pipe": pipe, "endless": endless,
}  # fmt: skip
PARQUET = {
    "magic": flipped(0, 4), "page": flipped(40, 4), "one byte": middle(1, 0.3),
    "footer": flipped(-400, 60), "end": flipped(-8, 8), "half": cut(0.5), "nothing": cut(0),
    "gone": gone, "a folder": folder,
}  # fmt: skip
FRAMES, MANIFEST = "archive/000001.ndjson.gz", "archive/000001.manifest.json"
ARTIFACT = "registry/artifacts/*/artifacts/"
THINGS = {
    "log.sqlite": (
        BASE | {f"page {n}": flipped(n * PAGE, PAGE) for n in (1, 2, 3, 4)}
        | {"middle": middle(PAGE), "last": flipped(-PAGE, PAGE)},
        LOG,
    ),
    FRAMES: (PACKED, ARCHIVE),
    MANIFEST: (JSON, ARCHIVE),
    "archive/book.json": (JSON, ARCHIVE),
    "registry/mlflow.db": (BASE | {"gone": gone}, REGISTRY),
    f"{ARTIFACT}facts.json": ({"one byte": middle(1), "gone": gone, "a folder": folder}, REGISTRY),
    f"{ARTIFACT}model.onnx": ({"one byte": middle(1), "gone": gone, "half": cut(0.5)}, ("score",)),
    f"{ARTIFACT}card.json": (JSON | {"gone": gone}, ("report card",)),
    "datasets/churn.parquet": (PARQUET, ("train",)),
    "datasets/churn.json": (JSON, ("train",)),
}  # fmt: skip
TABLE = [(thing, damage) for thing, (damages, _) in THINGS.items() for damage in damages]


@pytest.fixture
def door(monkeypatch, capsys):
    """A verb through the command line's door: exit code, standard output, standard error."""

    def through(words):
        monkeypatch.setattr(sys, "argv", ["barograph", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            run()
        captured = capsys.readouterr()
        return left.value.code or 0, captured.out, captured.err

    return through


@pytest.fixture(scope="module")
def sound():
    """What each verb answers in a home without damage."""
    return {}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where each home lies: an answer that names it is the same for all."""
    return tmp_path_factory.mktemp("damaged") / "home"


@pytest.mark.parametrize(("thing", "damage"), TABLE)
def test_what_is_damaged_is_named_or_not_looked_at(
    full_home, inputs, place, door, sound, thing, damage
):
    damages, verbs = THINGS[thing]
    for verb in verbs:
        if verb not in sound:
            home = made_again(place, full_home)
            sound[verb] = None if verb == "train" else ageless(door(words_of(verb, home, inputs)))
        home = made_again(place, full_home)
        for path in list(home.glob(thing)):
            damages[damage](path)
        code, out, err = door(words_of(verb, home, inputs))
        if ageless((code, out, err)) != sound[verb]:
            assert named(thing, code, out, err), (verb, code, out, err)
        if code == 2:
            assert out == ""
            *before, last = err.splitlines()
            assert last.startswith("barograph: "), err
            assert last.endswith("."), err
            assert all(line.startswith("barograph: ") for line in before), err
        else:
            assert code == 0 or verb in COUNTS, (verb, code, err)


def ageless(done):
    """An answer without how many seconds ago it all was."""
    return done[0], re.sub(r"[\d,]+,\d{3}\.\d ", "AGE ", done[1])


def made_again(place, full_home):
    shutil.rmtree(place, ignore_errors=True)
    return shutil.copytree(full_home, place)


def named(thing, code, out, err):
    """Whether the answer says what is damaged; the market's log may say it as what it lacks."""
    name = thing.rpartition("/")[2]
    output = out + err
    version = thing.startswith(ARTIFACT) and "spikes/" in output
    return name in output or version or (code == 1 and name.partition(".")[0] in output)


VALUES = {
    "text for a value": "UPDATE record SET value = 'text' WHERE slot % 7 = 0",
    "no value": "UPDATE record SET value = x'' WHERE slot % 7 = 0",
    "another key": "UPDATE record SET key = key || 'x' WHERE slot % 7 = 0",
    "bytes for a key": "UPDATE record SET key = x'ff' WHERE slot % 7 = 0",
    "headers that are none": "UPDATE record SET headers = '{' WHERE slot % 7 = 0",
    "a time that is none": "UPDATE record SET appended_time_ns = 'x' WHERE slot % 7 = 0",
    "the latest time": "UPDATE record SET appended_time_ns = 9223372036854775807",
    "some records gone": "DELETE FROM record WHERE slot % 7 = 0",
    "all records gone": "DELETE FROM record",
    "a shorter partition": "UPDATE partition SET next = next / 2",
    "a longer partition": "UPDATE partition SET next = next + 100",
    "a partition without an end": "UPDATE partition SET next = 'x'",
    "a partition that begins late": "UPDATE partition SET oldest = next + 5",
    "a partition gone": "DELETE FROM partition WHERE topic = 'ticks.raw' AND number = 1",
    "a topic gone": "DELETE FROM topic WHERE name = 'ticks.features'",
    "positions ahead": "UPDATE claim SET position = position + 1000",
    "positions before the first": "UPDATE claim SET position = -3",
    "positions that are none": "UPDATE claim SET position = 'x'",
    "checkpoints that are none": "UPDATE checkpoint SET value = x'00'",
    "a feed's checkpoints that are none": "UPDATE producer_checkpoint SET value = x'ff'",
    "a feed's checkpoints gone": "DELETE FROM producer_checkpoint",
    "a producer that is none": "UPDATE producer SET epoch = 'x'",
}
"""Values of the log that SQLite takes, and that nobody wrote."""
WORK = ("check", "topics list", "deadletters list", "featurize", "score", "consume", "recover")


@pytest.mark.parametrize("damage", VALUES.values(), ids=VALUES)
def test_a_damaged_value_of_the_log_ends_in_one_line_or_in_letters(
    full_home, inputs, place, door, damage
):
    """Everything ends: nothing is waited for that is not there."""
    for verb in WORK:
        home = made_again(place, full_home)
        with closing(sqlite3.connect(home / "log.sqlite")) as log, log:
            log.execute(damage)
        code, out, err = door(words_of(verb, home, inputs))
        assert code in (0, 1, 2), (verb, err)
        if code == 2:
            assert out == ""
            assert "log.sqlite" in err or "ticks." in err or "offset" in err, (verb, err)
            assert all(line.startswith("barograph: ") for line in err.splitlines()), err


def test_the_cures_work(full_home, inputs, tmp_path, door):
    home = shutil.copytree(full_home, tmp_path / "home")
    for thing in ("log.sqlite", "registry/mlflow.db", "datasets/churn.parquet", FRAMES):
        GARBAGE(home / thing)
    assert door(words_of("models list", home, inputs))[0] == 2
    (home / "registry").rename(tmp_path / "registry")
    assert door(words_of("models list", home, inputs))[0] == 0
    assert door(("dataset", inputs / "people.ndjson", *CHURN, "--home", home))[0] == 0
    code, _, err = door(words_of("dataset", home, inputs))
    assert (code, str(home / FRAMES) in err) == (2, True), err
    shutil.copy(full_home / FRAMES, home / FRAMES)
    assert door(words_of("dataset", home, inputs))[0] == 0
    (home / "log.sqlite").rename(tmp_path / "log.sqlite")
    assert door(words_of("recover", home, inputs))[0] == 0
    assert door(words_of("check", home, inputs))[0] == 0


def test_a_file_that_is_refused_makes_no_log(tmp_path, door):
    empty = tmp_path / "empty.ndjson"
    empty.touch()
    for file in (empty, tmp_path / "none.ndjson"):
        code, out, err = door(("produce", file, *CHURN, "--home", tmp_path / "home"))
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert file.name in err
    assert not (tmp_path / "home").exists()


def test_a_log_that_was_cut_to_nothing_is_not_taken_for_a_new_one(full_home, inputs, place, door):
    home = made_again(place, full_home)
    for size in (0, 1):
        os.truncate(home / "log.sqlite", size)
        code, _, err = door(words_of("check", home, inputs))
        assert (code, "barograph recover" in err) == (2, True), err
    assert door(words_of("recover", home, inputs))[0] == 0
    assert door(words_of("check", home, inputs))[0] == 0
