"""The card of a version by the command line, and a line where there is none."""

import json
import shutil

import pytest

from barograph.registry.registry import Registry
from barograph.training.card import FILE, Card, encoded
from cards import made
from page_reader import Reader
from refusals import line_of
from registered_models import facts_of, graph


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a version of spikes that has a card, and one that has none."""
    home = tmp_path_factory.mktemp("home")
    registry, onnx = Registry(home), graph()
    first, _ = (registry.register("spikes", onnx, facts_of(onnx)) for _ in range(2))
    registry.attach("spikes", first, FILE, encoded(made()))
    registry.set_alias("spikes", "candidate", first)
    return home


@pytest.mark.slow
def test_the_page_is_written_and_named(run, home):
    code, out, _ = run("report", "card", "--home", home)
    file = home / "reports" / "spikes" / "card-1.html"
    assert (code, out.strip()) == (0, str(file))
    assert "storms/7: level" in Reader(file.read_text(encoding="utf-8")).text


@pytest.mark.slow
def test_it_is_written_where_it_is_wanted(run, home, tmp_path):
    file = tmp_path / "new" / "card.html"
    code, out, _ = run("report", "card", "1", "--home", home, "--out", file)
    assert (code, out.strip(), file.exists()) == (0, str(file), True)


@pytest.mark.slow
def test_as_json_the_card_alone_is_printed_and_a_page_only_if_asked_for(run, home, tmp_path):
    code, out, _ = run("report", "card", "candidate", "--home", home, "--json")
    assert code == 0
    assert set(json.loads(out)) == set(Card.__struct_fields__)
    file = tmp_path / "card.html"
    code, again, _ = run("report", "card", "--home", home, "--json", "--out", file)
    assert (code, again, file.exists()) == (0, out, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["champion"], "spikes/champion"),
        (["newest"], "spikes/newest"),
        (["9"], "spikes/9"),
        (["2"], "card.json"),
        (["--case", "churn"], "churn/candidate"),
    ],
)
def test_what_has_no_card_is_one_line(run, home, words, message):
    code, out, err = run("report", "card", *words, "--home", home)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


@pytest.mark.slow
@pytest.mark.parametrize("change", [(b"}", b""), (b"0.", b"9.")])
def test_a_card_that_is_not_as_it_was_kept_is_not_shown(run, home, tmp_path, change):
    place = shutil.copytree(home, tmp_path / "damaged")
    (file,) = place.glob("registry/artifacts/*/artifacts/card.json")
    file.write_bytes(file.read_bytes().replace(*change))
    for more in ((), ("--json",)):
        err = line_of(run("report", "card", "1", "--home", place, *more))
        assert "its card.json is not what was attached" in err


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_one_line(run, home, tmp_path):
    (tmp_path / "file").write_text("")
    for out_file in (tmp_path / "file" / "card.html", ".", "", "/"):
        code, out, err = run("report", "card", "--home", home, "--out", out_file)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "--out" in err
