"""Reports by the command line, and a line where there is nothing to report on."""

import json
import shutil
from pathlib import Path

import pytest

from barograph.registry.registry import Registry
from barograph.training import dataset, drift_report
from barograph.training.card import FILE, Card, encoded
from cards import made
from compared_models import CUSTOMERS_MADE, GOOD, POOR, fresh_home, trained_in
from customers import CUSTOMERS
from drifted_datasets import changed
from page_reader import Reader
from queues import FEATURE_SET, QUEUES
from refusals import line_of
from registered_models import facts_of, graph


@pytest.fixture(scope="module")
def home(made_home, tmp_path_factory):
    """A home with versions of spikes: with a card, without, and with one that is soon drawn."""
    home = shutil.copytree(made_home, tmp_path_factory.mktemp("report") / "home")
    registry, onnx = Registry(home), graph()
    first, _, third = (registry.register("spikes", onnx, facts_of(onnx)) for _ in range(3))
    registry.attach("spikes", first, FILE, encoded(made()))
    registry.attach("spikes", third, FILE, encoded(made(timed=False)))
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
    code, out, _ = run("report", "card", "3", "--home", home, "--out", file)
    assert (code, out.strip(), file.exists()) == (0, str(file), True)


@pytest.mark.slow
def test_as_json_the_card_alone_is_printed_and_a_page_only_if_asked_for(run, home, tmp_path):
    code, out, _ = run("report", "card", "3", "--home", home, "--json")
    assert code == 0
    assert set(json.loads(out)) == set(Card.__struct_fields__)
    file = tmp_path / "card.html"
    code, again, _ = run("report", "card", "3", "--home", home, "--json", "--out", file)
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
    for file in place.glob("registry/artifacts/*/artifacts/card.json"):
        file.write_bytes(file.read_bytes().replace(*change))
    for more in ((), ("--json",)):
        err = line_of(run("report", "card", "1", "--home", place, *more))
        assert "its card.json is not what was attached" in err


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_one_line(run, home, tmp_path):
    (tmp_path / "file").write_text("")
    for out_file in (tmp_path / "file" / "card.html", ".", "", "/"):
        code, out, err = run("report", "card", "3", "--home", home, "--out", out_file)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "--out" in err


QUEUES_CASE = ("--case", "queues:QUEUES")


@pytest.fixture
def drifted(tmp_path):
    """A home with a dataset of queues whose later half follows another law."""
    home = tmp_path / "drifted"
    table, manifest = dataset.paths(home, QUEUES)
    table.parent.mkdir(parents=True)
    frame = changed().frame
    frame.write_parquet(table)
    origin = {"feature_set": FEATURE_SET, "data_hash": "hash", "rows": len(frame)}
    manifest.write_bytes(json.dumps(origin).encode())
    return home


@pytest.mark.slow
def test_drift_is_written_as_a_page_and_said_not_to_be_kept_without_a_version(run, drifted):
    code, out, err = run("report", "drift", *QUEUES_CASE, "--home", drifted)
    page = drifted / "reports" / "queues" / "drift.html"
    assert (code, out.strip()) == (0, str(page))
    assert "not kept with a model: case queues has no version yet" in err
    assert "2 alarms." in Reader(page.read_text(encoding="utf-8")).text


@pytest.mark.slow
def test_drift_is_kept_with_a_version_and_printed_as_json(run, made_home, drifted):
    shutil.copytree(made_home, drifted, dirs_exist_ok=True)
    registry, onnx = Registry(drifted), graph()
    facts = facts_of(onnx, case="queues", feature_set=FEATURE_SET)
    registry.set_alias("queues", "candidate", registry.register("queues", onnx, facts))
    code, out, _ = run("report", "drift", *QUEUES_CASE, "--home", drifted, "--json")
    assert code == 0
    assert json.loads(out) == json.loads(registry.attached("queues", 1, drift_report.FILE))
    assert b"2 alarms." in registry.attached("queues", 1, drift_report.PAGE)
    assert not (drifted / "reports").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--reference", "yesterday"], "there is no .. between two times"),
        (["--reference", "2025..2026"], "is not an ISO 8601 time"),
        (
            ["--current", "2025-02-20T00:00:00..2025-02-19T00:00:00"],
            "it ends before it begins",
        ),
        (["--current", "2001-01-01T00:00:00..2001-01-02T00:00:00"], "Name other spans"),
        (["7"], "there is no such version"),
    ],
)
def test_spans_and_versions_that_are_none_are_one_line(run, drifted, words, message):
    err = line_of(run("report", "drift", *words, *QUEUES_CASE, "--home", drifted))
    assert message in err


@pytest.mark.slow
def test_a_profile_is_written_and_named(run, drifted):
    pytest.importorskip("ydata_profiling", exc_type=ImportError)
    words = ("report", "profile", *QUEUES_CASE, "--rows", "100", "--home", drifted, "--json")
    code, out, err = run(*words, "--no-keep")
    assert err == "", "nothing was to be kept"
    answer = json.loads(out)
    assert (code, answer["rows"], answer["kept_with"]) == (0, 100, None)
    assert "100 of 8,000 rows" in Path(answer["page"]).read_text(encoding="utf-8")


OF_CUSTOMERS = ("--case", "customers:CUSTOMERS")


def with_customers(home):
    """The home with a dataset of customers."""
    table, manifest = dataset.paths(home, CUSTOMERS)
    table.parent.mkdir(parents=True)
    CUSTOMERS_MADE.frame.write_parquet(table)
    origin = {
        "feature_set": CUSTOMERS.feature_set,
        "data_hash": CUSTOMERS_MADE.data_hash,
        "rows": len(CUSTOMERS_MADE.frame),
    }
    manifest.write_bytes(json.dumps(origin).encode())
    return home


@pytest.fixture(scope="module")
def branches(made_home, tmp_path_factory):
    """Two homes with one dataset: of the branch to merge into, and of the one that wants to."""
    place = tmp_path_factory.mktemp("branches")
    homes = {}
    for name, case in (("base", POOR), ("head", GOOD)):
        home = homes[name] = with_customers(fresh_home(made_home, place / name))
        registry = Registry(home)
        version = trained_in(home, case, code_hash=name).model.label.rpartition("/")[2]
        registry.set_alias("customers", "champion", int(version))
        registry.set_alias("customers", "candidate", int(version))
    return homes


@pytest.fixture
def between_branches(run, branches):
    """Compare the candidate of one branch with the champion of the other."""

    def between(champion, candidate, *words):
        homes = ("--home", branches[candidate], "--champion-home", branches[champion])
        return run("report", "compare", *OF_CUSTOMERS, *homes, *words)

    return between


@pytest.mark.slow
def test_a_better_branch_is_compared_in_markdown_with_what_changed(between_branches, branches):
    code, out, err = between_branches("base", "head")
    assert (code, err) == (0, "")
    assert out.startswith("### ✅ Candidate customers/1 is better than champion customers/1 of")
    assert "| code | hash | base | head |" in out
    assert not (branches["head"] / "reports").exists()


@pytest.mark.slow
def test_a_worse_branch_is_one_line_and_exit_code_1(between_branches):
    code, out, err = between_branches("head", "base")
    assert (code, err.count("\n")) == (1, 1)
    assert out.startswith("### ❌ ")
    assert "log loss must not be worse than champion's" in err


@pytest.mark.slow
def test_versions_of_one_registry_are_compared(run, branches):
    words = ("--champion", "champion", "--candidate", "1", "--home", branches["head"])
    code, out, _ = run("report", "compare", *OF_CUSTOMERS, *words)
    assert code == 0
    assert "Candidate customers/1 is not worse than champion customers/1" in out


@pytest.mark.slow
def test_where_there_is_no_other_version_the_answer_is_why_nothing_was_compared(
    run, between_branches, branches, made_home, tmp_path
):
    words = ("report", "compare", *OF_CUSTOMERS, "--if-other", "--json")
    code, out, _ = run(*words, "--home", branches["head"])
    why = {"compared": False, "why": "the candidate is the champion"}
    assert (code, json.loads(out)) == (0, why)
    empty = shutil.copytree(made_home, tmp_path / "empty")
    code, out, _ = run(*words, "--home", branches["head"], "--champion-home", empty)
    assert (code, json.loads(out)["why"]) == (0, "customers has no champion yet")
    code, out, _ = between_branches("base", "head", "--if-other", "--json")
    assert (code, json.loads(out)["verdict"]) == (0, "better")


@pytest.mark.slow
def test_a_comparison_is_an_object_with_either_option_for_json(between_branches):
    outs = {
        between_branches("base", "head", *words)[1] for words in (["--json"], ["--format", "json"])
    }
    (out,) = outs
    assert json.loads(out)["verdict"] == "better"


@pytest.mark.slow
def test_a_file_of_markdown_has_its_charts_beside_it(between_branches, tmp_path):
    file = tmp_path / "new" / "comment.md"
    code, out, _ = between_branches("base", "head", "--out", file)
    assert (code, out.strip()) == (0, str(file))
    assert "](comment.png)" in file.read_text(encoding="utf-8")
    assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_page_of_a_comparison_is_written_beside_its_json(between_branches, tmp_path):
    file = tmp_path / "page.html"
    code, out, _ = between_branches("base", "head", "--format", "html", "--json", "--out", file)
    assert code == 0
    assert json.loads(out)["case"] == "customers"
    assert "svg" in Reader(file.read_text(encoding="utf-8")).tags
    assert not file.with_suffix(".png").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--champion", "9"], "customers/9: there is no such version"),
        (["--candidate", "newest"], "customers/newest"),
        (["--case", "churn"], "the dataset of churn: there is none"),
        (["--champion-home", "nowhere"], "there is no such home"),
    ],
)
def test_what_cannot_be_compared_is_one_line(run, branches, words, message):
    words = ("report", "compare", *OF_CUSTOMERS, "--home", branches["head"], *words)
    assert message in line_of(run(*words))


@pytest.mark.slow
def test_models_of_other_features_or_data_are_one_line(run, branches, tmp_path):
    for name, change, message in (
        ("features", {"feature_set": "customers/2"}, "customers/2"),
        ("data", {"data_hash": "other"}, "was judged on other data"),
    ):
        home = shutil.copytree(branches["head"], tmp_path / name)
        manifest = dataset.paths(home, CUSTOMERS)[1]
        manifest.write_bytes(json.dumps(json.loads(manifest.read_bytes()) | change).encode())
        done = run("report", "compare", *OF_CUSTOMERS, "--home", home)
        assert message in line_of(done)


@pytest.mark.slow
def test_a_version_without_a_card_cannot_be_compared(run, branches):
    registry, onnx = Registry(branches["base"]), graph()
    facts = facts_of(onnx, case="customers", feature_set=CUSTOMERS.feature_set)
    bare = registry.register("customers", onnx, facts)
    words = ("--champion", str(bare), "--candidate", "1", "--home", branches["base"])
    done = run("report", "compare", *OF_CUSTOMERS, *words)
    assert "card.json" in line_of(done)
