"""The registry's verbs on a home without models, and with one that has said nothing yet."""

import json
import re
import shutil

import pytest
from msgspec.structs import replace

from barograph.evaluation.gate import Decision
from barograph.registry.registry import Registry
from barograph.training.card import FILE, encoded
from cards import made
from registered_models import facts_of, graph


def test_no_model_yet_is_reported_and_no_error(run, tmp_path):
    (tmp_path / "h").mkdir()
    code, out, _ = run("models", "list", "--home", "h")
    assert (code, "no version of spikes yet" in " ".join(out.split())) == (0, True)


def test_a_version_that_is_not_there_is_one_line(run, tmp_path):
    (tmp_path / "h").mkdir()
    code, out, err = run("models", "show", "latest", "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "spikes/latest" in err


@pytest.mark.slow
def test_a_version_is_shown_without_a_log_and_with_one_that_knows_nothing_of_it(
    registry, run, recording
):
    onnx = graph()
    registry.set_alias("spikes", "candidate", registry.register("spikes", onnx, facts_of(onnx)))

    code, out, _ = run("models", "show", "1", "--home", "h", "--json")
    assert code == 0
    shown = json.loads(out)
    assert shown["live"] is None
    # exact: written and read back
    assert shown["facts"]["tau"] == {"BTC-USD": 5.6e-5, "ETH-USD": 7e-5}

    code, out, _ = run("models", "show", "candidate", "--home", "h")
    assert (code, out.splitlines()[0]) == (0, "spikes/1 (har), candidate")

    run("replay", recording(), "--home", "h", "--no-stages")
    code, out, _ = run("models", "show", "1", "--home", "h", "--json", "--hours", "1")
    assert code == 0
    assert json.loads(out)["live"] == {"scored": None, "shadowed": None, "paired": None}

    code, _, err = run("models", "show", "1", "--home", "h", "--log", "nowhere")
    assert (code, "there is no log" in err) == (2, True)


@pytest.fixture
def registry(made_home, tmp_path):
    return Registry(shutil.copytree(made_home, tmp_path / "h"))


def versions(registry, *biases, **facts):
    for bias in biases:
        onnx = graph(bias)
        registry.register("spikes", onnx, facts_of(onnx, **facts), {"decision": "Keep: few"})


@pytest.mark.slow
def test_one_command_back_and_each_says_what_it_did_and_why(run, registry):
    versions(registry, 0.0, 1.0)
    answers = [
        run("models", "promote", 1, "--home", "h"),
        run("models", "promote", 2, "--home", "h", "--reason", "after review"),
        run("models", "rollback", "--home", "h", "--reason", "alarms at night"),
    ]
    lines = [
        "✓ spikes/1 is champion: promoted by hand",
        "✓ spikes/2 is champion, in place of spikes/1: after review",
        "✓ spikes/1 is champion, in place of spikes/2: alarms at night",
    ]
    assert answers == [(0, f"{line}\nnext: barograph models show --home h\n", "") for line in lines]
    assert registry.champion_version("spikes") == 1
    at = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  "
    code, out, _ = run("models", "history", "--home", "h")
    history = [
        "promote spikes/1: promoted by hand",
        "promote spikes/2, replacing spikes/1: after review",
        "rollback spikes/1, replacing spikes/2: alarms at night",
    ]
    assert code == 0
    for line, wanted in zip(out.splitlines(), history, strict=True):
        assert re.fullmatch(at + re.escape(wanted), line)
    code, out, _ = run("models", "history", "--home", "h", "--json")
    actions = [entry["action"] for entry in json.loads(out)["promotions"]]
    assert actions == ["promote", "promote", "rollback"]


@pytest.mark.slow
def test_a_model_that_no_scorer_would_take_becomes_champion_neither_way(run, registry):
    versions(registry, 0.0, feature_set="0123456789abcdef")
    versions(registry, 1.0)
    registry.promote("spikes", 1, "with the features of then")
    registry.promote("spikes", 2, "with those of now")
    for words in (("promote", 1), ("rollback",)):
        code, out, err = run("models", *words, "--home", "h")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "model spikes/1 was made with feature set 0123456789abcdef" in err
    assert registry.champion_version("spikes") == 2


@pytest.mark.slow
def test_the_list_has_what_decides_whether_a_version_is_of_use(run, registry):
    versions(registry, 0.0, expires_time_ns=1)
    code, out, _ = run("models", "list", "--home", "h", "--json")
    (version,) = json.loads(out)["versions"]
    assert (code, version["version"], version["expired"], version["decision"]) == (
        0, 1, True, "Keep: few"
    )  # fmt: skip
    _, out, _ = run("models", "list", "--home", "h")
    assert "EXPIRED" in out
    assert "1  Keep: few" in out


@pytest.mark.slow
def test_what_the_gate_let_pass_is_promoted_once_with_its_reasons(run, registry):
    versions(registry, 0.0)
    card_with(registry, 1, Decision(promote=True, reasons=("better", "calibrated")))
    words = ("models", "promote", "candidate", "--gated", "--home", "h", "--json")
    assert run(*words)[0] == 2, "no version is the candidate yet"
    registry.set_alias("spikes", "candidate", 1)
    code, out, _ = run(*words)
    assert (code, json.loads(out)["reason"]) == (0, "better; calibrated")
    assert run(*words)[1] == out
    assert len(registry.history("spikes")) == 1


@pytest.mark.slow
def test_what_the_gate_refused_stays_a_candidate_unless_it_is_promoted_by_hand(run, registry):
    versions(registry, 0.0)
    card_with(registry, 1, Decision(promote=False, reasons=("too few blocks",)))
    code, out, err = run("models", "promote", "1", "--gated", "--home", "h")
    assert (code, out, err) == (1, "", "barograph: spikes/1 stays a candidate: too few blocks.\n")
    code, out, _ = run("models", "promote", "1", "--gated", "--home", "h", "--json")
    refused = {"version": 1, "champion": None, "reason": "too few blocks"}
    assert (code, json.loads(out)) == (1, refused)
    assert registry.champion_version("spikes") is None
    assert run("models", "promote", "1", "--home", "h")[0] == 0
    assert registry.champion_version("spikes") == 1


@pytest.mark.slow
def test_a_run_of_an_earlier_date_takes_no_champion_of_later_data_down(run, registry):
    versions(registry, 0.0, train_end_ns=2)
    versions(registry, 1.0, train_end_ns=1)
    card_with(registry, 2, Decision(promote=True, reasons=("better",)))
    registry.promote("spikes", 1, "first")
    code, _, err = run("models", "promote", "2", "--gated", "--home", "h")
    why = "spikes/1, the champion, was trained on later data"
    assert (code, err) == (1, f"barograph: spikes/2 stays a candidate: {why}.\n")
    registry.set_alias("spikes", "candidate", 2)
    code, out, _ = run("report", "compare", "--if-other", "--json", "--home", "h")
    assert (code, json.loads(out)) == (0, {"compared": False, "why": why})
    assert registry.champion_version("spikes") == 1


def card_with(registry, version, decision):
    made_card = made(timed=False)
    gate = replace(made_card.training.gate, decision=decision)
    training = replace(made_card.training, gate=gate)
    registry.attach("spikes", version, FILE, encoded(replace(made_card, training=training)))


@pytest.mark.slow
def test_a_model_is_written_to_a_file_as_it_is_registered(run, registry, tmp_path):
    versions(registry, 0.5)
    code, out, _ = run("models", "show", "1", "--onnx", tmp_path / "new" / "m.onnx", "--home", "h",
                       "--json")  # fmt: skip
    assert (code, json.loads(out)["facts"]["candidate"]) == (0, "har")
    assert (tmp_path / "new" / "m.onnx").read_bytes() == graph(0.5)
    code, out, err = run("models", "show", "1", "--onnx", "/", "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
