"""The gallery's notebooks, run as a stranger runs them, and what their text claims.

Each has a kernel of its own, in a folder and a home directory of its own, with the package as it is
installed.
"""

import json
import os
import runpy
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from notebook_output import printed

pytestmark = pytest.mark.operations

ROOT = Path(__file__).parents[2]
SECONDS_PER_CELL = 240
FOREIGN = "TqdmWarning: IProgress not found"
"""Of a notebook without ipywidgets, when MLflow loads a model."""


class Ran:
    """A notebook that ran: what it printed and showed, and values of its names."""

    def __init__(self, notebook):
        *self._cells, asked = [cell for cell in notebook.cells if cell.cell_type == "code"]
        self.values = json.loads(printed([asked]))

    @property
    def printed(self):
        return printed(self._cells)

    @property
    def warned(self):
        lines = printed(self._cells, "stderr").splitlines()
        return [line for line in lines if "Warning" in line and FOREIGN not in line]

    @property
    def pictures(self):
        outputs = [output for cell in self._cells for output in cell.outputs]
        return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.fixture
def run(tmp_path):
    """Runs the notebook of a name; `asked` are expressions, taken in it at its end."""

    def ran(name, *asked):
        page = runpy.run_path(str(ROOT / "docs" / "notebook_files.py"))
        made = page["notebook"]((page["GALLERY"] / name).read_text("utf-8"))
        notebook = nbformat.reads(json.dumps(made), as_version=4)
        nbformat.validate(notebook)
        values = f"[{', '.join(asked)}]"
        notebook.cells.append(
            nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({values}, default=float))")
        )
        home, folder = tmp_path / "home", tmp_path / "folder"
        home.mkdir()
        folder.mkdir()
        foreign = ("BAROGRAPH_", "MLFLOW_")
        own = {key: text for key, text in os.environ.items() if not key.startswith(foreign)}
        client = NotebookClient(
            notebook, timeout=SECONDS_PER_CELL, resources={"metadata": {"path": str(folder)}}
        )
        path = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"  # of `barograph`
        client.execute(env={**own, "HOME": str(home), "PATH": path})
        found = Ran(notebook)
        assert found.warned == []
        return found

    return ran


def test_every_page_of_the_gallery_has_its_story():
    pages = sorted(path.name for path in (ROOT / "docs" / "gallery").glob("*.md"))
    text = Path(__file__).read_text("utf-8")
    assert len(pages) == 10
    assert [name for name in pages if f'run(\n        "{name}"' not in text] == []


def test_ticks_tells_each_damaged_line_and_each_hole(run):
    ran = run(
        "01-ticks.md",
        "ticks.refused",
        "ticks.dead_letters['fault'].to_list()",
        "gaps['lasted_s'].to_list()",
        "ticks.forms",
    )
    refused, faults, lasted_s, forms = ran.values
    assert refused == {"not_json": 2, "crossed_quote": 1}
    assert sorted(faults) == ["crossed_quote", "not_json", "not_json"]
    assert len(lasted_s) == 4  # the hole, and the three trades whose ids are jumped over
    assert 90 < max(lasted_s) < 95
    assert sorted(lasted_s)[-2] < 10
    assert list(forms) == ["damaged.ndjson"]


def test_features_lose_as_many_seconds_to_a_hole_as_their_window_is_long(run):
    ran = run(
        "02-features.md",
        "why.rows()",
        "len(X)",
        "X['flow_imbalance_60s'].null_count()",
    )
    rows, n, without_sides = ran.values
    seconds = {(feature, why): count for feature, why, count in rows}
    for window_s in (10, 60, 300):
        feature = f"realized_vol_{window_s}s"
        assert seconds[feature, "WARMUP"] == window_s
        assert seconds[feature, "GAP"] == window_s
        assert (feature, "NOT_OFFERED") not in seconds
    assert without_sides == n
    assert seconds["flow_imbalance_60s", "NOT_OFFERED"] > 1000


def test_labels_by_all_rows_flatter_a_constant_forecast(run):
    ran = run(
        "03-labels.md",
        "off.row(0)",
        "[y['spike'].mean(), r.base_rate.low, r.base_rate.high]",
    )
    (by_all, by_past), (share, low, high) = ran.values
    assert by_all < 0.75 * by_past
    assert share == pytest.approx(0.10, abs=0.002)
    assert not low < share < high  # of tested rows, by tau of training rows


def test_leakage_is_what_shuffled_rows_find_where_there_is_nothing(run):
    ran = run(
        "04-leakage.md",
        "shuffled.mean()",
        "purged.mean()",
        "base_rate",
        "str(said[0].message)",
    )
    shuffled, purged, base_rate, said = ran.values
    assert shuffled > base_rate + 0.4
    assert abs(purged - base_rate) < 0.06
    assert "train and test share seconds" in said


def test_own_candidate_stands_beside_the_baselines_and_the_gate_refuses(run):
    ran = run(
        "05-own-candidate.md",
        "r.scores['candidate'].to_list()",
        "r.differences('persistence').row(0, named=True)",
        "list(r.gate.reasons)",
        "r.left_out",
        "Path('card.html').stat().st_size",
    )
    names, difference, reasons, left_out, size = ran.values
    assert {"persistence", "har", "ewma", "forest", "chosen"} <= set(names)
    assert left_out == {}
    assert difference["candidate"] == "forest"
    assert difference["pr_auc_low"] < 0 < difference["pr_auc_high"]
    assert reasons[0].startswith("independent positives must be at least")
    assert "keep what is there" in ran.printed
    assert size > 10_000


def test_plots_show_themselves_and_the_probabilities_keep_their_word(run):
    ran = run(
        "06-plots.md",
        "r.scores.row(-1, named=True)",
        "r.base_rate.estimate",
    )
    chosen, base_rate = ran.values
    assert ran.pictures == 3
    assert chosen["pr_auc_low"] > base_rate
    assert chosen["calibration_error"] < 0.1


def test_sessions_are_tested_in_turn(run):
    ran = run(
        "07-sessions.md",
        "table.select('tested rows', 'base rate', 'PR-AUC').rows()",
        "[[int(rows['second'][train].min()), int(rows['second'][train].max()),"
        " int(rows['second'][test].min()), int(rows['second'][test].max())]"
        " for train, test in sides]",
        "repr(r).splitlines()[0]",
    )
    tested, spans, told = ran.values
    assert len(tested) == 3
    assert all(pr_auc > base_rate for _, base_rate, pr_auc in tested)
    days = [second // 86_400 for *_, first, last in spans for second in (first, last)]
    assert days[::2] == days[1::2]
    assert len(set(days)) == 3  # each test is one day, and no day is tested twice
    assert spans[1][0] < spans[1][2] < spans[1][1]  # the second day's model knows a later day
    assert "3 folds (leave-session-out)" in told


def test_home_tells_predictions_and_alerts_and_has_the_features_of_a_notebook(run):
    ran = run(
        "08-home.md",
        "dict(everything['verdict'].value_counts().rows())",
        "[alert.change for alert in alerts]",
        "[alert.text for alert in alerts]",
        "len(predictions)",
        "bool((same['live'].eq_missing(same['realized_vol_60s'])).all())",
        "len(same)",
    )
    verdicts, changes, texts, last_half_hour, same, n = ran.values
    assert set(verdicts) == {"PREDICTED", "WARMUP"}
    assert verdicts["PREDICTED"] > 10 * verdicts["WARMUP"]
    assert changes == ["began", "ended", "judged"]
    assert all(text in ran.printed for text in texts)
    assert last_half_hour == pytest.approx(1800, abs=5)
    assert same
    assert n > 3000


def test_model_says_the_same_in_a_notebook_by_the_verb_and_by_mlflow(run):
    ran = run(
        "09-model.md",
        "bool(np.array_equal(of_verb, p, equal_nan=True))",
        "bool(np.array_equal(of_mlflow, p, equal_nan=True))",
        "[float(known.mean()), int(alarms.sum())]",
        "[float(spike[judged].mean()), float(spike[judged & alarms].mean())]",
    )
    by_verb, by_mlflow, (known, alarms), (base_rate, precision) = ran.values
    assert by_verb
    assert by_mlflow
    assert known > 0.95
    assert alarms > 10
    assert precision > base_rate


def test_own_case_is_checked_and_what_forgets_is_refused(run):
    ran = run(
        "10-own-case.md",
        "rows['mean_5min'].null_count()",
        "len(rows)",
        "rows.columns[-2:]",
    )
    unknown, n, columns = ran.values
    assert (unknown, n, columns) == (8, 1200, ["waiting", "mean_5min"])
    sound, forgetful = ran.printed.split("restored from its checkpoints", 2)[1:]
    assert "✗" not in sound.split("the oracle says the same")[0]
    assert "restored after" in forgetful
    assert forgetful.count("refused") == 1
