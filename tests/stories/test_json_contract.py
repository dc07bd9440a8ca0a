"""Every verb with --json prints one object on one line, and it is of the verb's schema."""

import json
import shutil
from multiprocessing.connection import wait

import pytest
from jsonschema import Draft202012Validator

from barograph.app.contract import schema_of
from command_line import call
from verb_words import HOMELESS, WORDS, Door, words_of

AT_ONCE, LIMIT_S = 3, 300.0
LONG = ("demo", "rehearse", "train", "doctor", "up", "feed")
"""They run or wait for seconds, and begin first."""

REFUSING, EITHER = {"feed"}, {"demo"}
"""Nobody listens where the feed looks. Of an hour the demo may train, or say that it is too little,
as the hour of the day has it.
"""

pytestmark = pytest.mark.slow


def valid(out, verb):
    """The one object of an output, after it was held against the verb's schema."""
    line = out.removesuffix(b"\n")
    assert out == line + b"\n"
    assert b"\n" not in line
    answer = json.loads(line)
    assert isinstance(answer, dict)
    Draft202012Validator(schema_of(verb)).validate(answer)
    return answer


@pytest.fixture
def refused(monkeypatch, capfdbinary):
    """The object with which a command of this process is refused, and its standard error."""

    def call_it(*words):
        code, out, err = call(monkeypatch, capfdbinary, *words, "--json")
        assert code == 2, words
        return valid(out.encode(), verb_of(words)), err

    return call_it


def verb_of(words):
    """The longest start of a command line that is a verb."""
    lengths = (2, 1)
    return next(verb for n in lengths if (verb := " ".join(map(str, words[:n]))) in WORDS)


def test_each_answer_is_of_its_schema(full_home, inputs, tmp_path):
    left, begun = [*LONG, *(verb for verb in WORDS if verb not in LONG)], {}
    while left or begun:
        while left and len(begun) < AT_ONCE:
            verb = left.pop(0)
            home = shutil.copytree(full_home, tmp_path / verb)
            begun[verb] = Door((*words_of(verb, home, inputs), "--json"))
        assert wait([door.sentinel for door in begun.values()], LIMIT_S), begun
        for verb in [verb for verb, door in begun.items() if not door.is_alive()]:
            code, out, err = begun.pop(verb).end()
            answer = valid(out, verb)
            refused = verb in REFUSING
            if verb in EITHER:
                refused = code == 2
            assert (code == 2, "error" in answer) == (refused,) * 2, (verb, err.decode())
            shutil.rmtree(tmp_path / verb)


@pytest.mark.usefixtures("full_home")  # which makes the inputs
def test_each_refusal_is_an_object_with_a_cure(refused, inputs, tmp_path):
    """The home is a file."""
    (tmp_path / "file").touch()
    for verb in WORDS.keys() - HOMELESS - {"settings", "doctor"}:
        refusal, err = refused(*words_of(verb, tmp_path / "file", inputs))
        assert set(refusal) == {"error", "cure"}, verb
        assert err.endswith(f"barograph: {refusal['error']} {refusal['cure']}\n"), verb


def test_an_option_that_nobody_knows_is_such_an_object_too(refused):
    for verb in WORDS:
        assert f"barograph {verb} --help" in refused(*verb.split(), "--unknown")[0]["cure"]
