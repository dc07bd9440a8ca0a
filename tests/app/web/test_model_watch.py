"""What the registry says, and the champion's live scores against an oracle."""

import numpy as np
import pytest

from barograph.app.web.boards import NO_MODEL
from barograph.app.web.model_watch import ModelWatch, Standing, live_scores, model_now, show_live
from barograph.app.web.series_rows import SeriesRows
from barograph.evaluation.matured import judge, mature
from barograph.registry.registry import Registry
from champions import crowned
from counted_metrics import Counted
from watched_predictions import prediction


def test_a_home_without_a_registry_has_no_model(tmp_path):
    standing = ModelWatch(Registry(tmp_path)).look("spikes")
    assert (standing.champion, standing.problem) == (None, "")
    assert model_now("spikes", standing, None) == NO_MODEL


@pytest.mark.slow
def test_champion_and_candidate_are_followed(made_home, tmp_path):
    registry, watch = crowned(made_home, tmp_path), ModelWatch(Registry(tmp_path))
    registry.set_alias("spikes", "candidate", 2)
    model = model_now("spikes", watch.look("spikes"), {"rows": 3})
    assert (model.label, model.candidate, model.live) == ("spikes/1", "spikes/2", {"rows": 3})
    registry.promote("spikes", 2, "better")
    model = model_now("spikes", watch.look("spikes"), None)
    assert (model.label, model.candidate) == ("spikes/2", None)


@pytest.mark.slow
def test_a_registry_that_cannot_be_read_keeps_what_is_known_and_says_why(made_home, tmp_path):
    crowned(made_home, tmp_path)
    watch = ModelWatch(Registry(tmp_path))
    known = watch.look("spikes")
    (tmp_path / "registry" / "mlflow.db").write_bytes(b"no database" * 1000)
    standing = watch.look("spikes")
    assert standing.problem
    assert standing._replace(problem="") == known
    assert Standing().facts is None


def test_live_scores_are_those_of_the_matured_predictions():
    rng = np.random.default_rng(3)
    predictions = [
        prediction("A", second, float(p), value_now=float(v), tau=0.5, horizon_s=5, model="m/1")
        for second, (p, v) in enumerate(rng.random((400, 2)))
    ]
    rows = SeriesRows()
    for each in predictions:
        rows.add(each, 4, 1000)
    found = live_scores([rows.between(-1, 1000)], 4, 5)
    expected = judge("m/1", mature(predictions, 5)["m/1"])
    assert found["rows"] == expected.rows == 395
    for name in ("base_rate", "pr_auc", "brier"):
        assert found[name] == pytest.approx(getattr(expected, name).estimate, rel=1e-9)
    assert found["calibration_error"] == pytest.approx(expected.calibration_error, rel=1e-9)
    assert live_scores([rows.between(-1, 1000)], 5, 5) is None


def test_live_scores_are_metrics_and_what_is_not_known_is_not_there():
    counted, of = Counted(), ("case", "shown-live")
    show_live("shown-live", {"rows": 9, "base_rate": 0.2, "pr_auc": 0.5, "calibration_error": None})
    now = counted.now()
    assert now["barograph_live_pr_auc", of] == pytest.approx(0.5)
    assert ("barograph_live_calibration_error", of) not in now
    show_live("shown-live", None)
    assert ("barograph_live_pr_auc", of) not in counted.now()


def test_live_scores_of_a_level_are_those_of_its_matured_forecasts():
    rng = np.random.default_rng(4)
    predictions = []
    for second in range(300):
        median = float(rng.lognormal())
        said = {"median": median, "forecast": 1.2 * median, "low": median / 3, "high": 3 * median}
        value = float(rng.lognormal())
        predictions.append(
            prediction("A", second, 0.5, value_now=value, horizon_s=5, model="m/1", **said)
        )
    rows = SeriesRows(level=True)
    for each in predictions:
        rows.add(each, 4, 1000)
    found = live_scores([rows.between(-1, 1000)], 4, 5)
    expected = judge("m/1", mature(predictions, 5)["m/1"]).level
    for name in ("qlike", "log_r2", "coverage"):
        assert found[name] == pytest.approx(getattr(expected, name).estimate, rel=1e-9)
