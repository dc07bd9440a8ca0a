"""From a file to a page: a training makes the card of its version, and MLflow has it too."""

import json

from barograph.cases.churn import invent
from barograph.figures import figure
from barograph.registry.registry import Registry
from barograph.training.card import FILE, PAGE, decoded
from barograph.training.card_words import chosen
from page_reader import Reader
from verb_processes import Life


def test_a_training_leaves_a_page_with_the_figures_that_it_printed(tmp_path):
    home, file = tmp_path / "home", tmp_path / "people.ndjson"
    file.write_bytes(b"".join(record + b"\n" for record in invent(800, 3)))
    about = ("--case", "churn", "--home", home)
    Life("dataset", file, *about).answer()
    report = json.loads(Life("train", *about, "--folds", 2, "--json").answer())

    card = decoded(Life("report", "card", *about, "--json").answer(), "churn/1")
    assert card.training.model.version == report["model"]["version"] == 1
    ours = chosen(card.training)
    # exact: one number, copied
    assert ours.pr_auc.estimate == report["tested"]["scores"][-1]["pr_auc"]["estimate"]

    page = home / "reports" / "churn" / "card-1.html"
    assert Life("report", "card", *about).answer().decode().strip() == str(page)
    read = Reader(page.read_text(encoding="utf-8"))
    assert read.tags.count("svg") == 3
    assert "script" not in read.tags
    for figure_said in (figure(ours.pr_auc.estimate), figure(ours.brier.estimate, 4)):
        assert figure_said in read.text
    assert all(reason in read.text for reason in report["gate"]["decision"]["reasons"])

    registry = Registry(home)
    assert registry.attached("churn", 1, PAGE) == page.read_bytes()
    (version,) = registry.versions("churn")
    assert {FILE, PAGE} <= artifacts(home, version.run_id)


def artifacts(home, run_id):
    """What MLflow itself lists."""
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - seconds to import

    address = f"sqlite:///{home / 'registry' / 'mlflow.db'}"
    return {file.path for file in MlflowClient(address, address).list_artifacts(run_id)}
