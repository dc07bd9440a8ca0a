"""What `train` says on a terminal: 80 columns, every figure that decides, n/d for what is not."""

import math

import msgspec

from barograph.app.terminal.training_table import training
from barograph.evaluation.diebold_mariano import DieboldMariano
from barograph.evaluation.gate import Decision
from barograph.training.levels import LevelScores
from barograph.training.no_signal_control import Control
from barograph.training.sample_words import sentences
from barograph.training.skill import PairedScore, SkillRow
from barograph.training.walkforward import CHOSEN
from rehearsals import candidate, difference, interval, session, training_report
from samples import FACTS
from screen_text import text_of


def shown(**known):
    text = text_of(training(training_report(**known)))
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.split())


def test_it_says_what_was_tested_and_how():
    assert (
        "c, stratified: 4,321 test rows of 0 folds, 3 independent positives, base rate 0.200"
        in (shown())
    )


def test_a_candidate_has_a_line_with_its_scores_and_a_dash_where_it_forecasts_nothing():
    text = shown(
        scores=[
            candidate(
                "har", 0.4, 0.3, 0.5, calibration_error=interval(0.05, 0, 1),
                log_r2=interval(0.254, 0, 1), qlike=interval(1.62, 0, 9),
                pr_auc_by_ratio=interval(0.77, 0, 1),
            ),
            candidate(CHOSEN, 0.61, 0.6, 0.7),
        ]
    )  # fmt: skip
    assert "har 0.40 [0.30, 0.50] 0.77 0.4000 0.400 0.050 0.254 1.6" in text
    assert f"{CHOSEN} 0.61 [0.60, 0.70] n/d 0.6100 0.610 0.610 n/d n/d" in text


def test_what_acting_was_worth_stands_below_in_words():
    acting = {"recall": 0.571, "lead_s": 82.54, "false_alarms_per_hour": 1.84}
    text = shown(scores=[candidate(CHOSEN, 0.61, 0.6, 0.7, acting=acting)])
    assert "model false/h lead s recall" in text
    assert f"{CHOSEN} 1.8 82.5 0.57" in text


def test_differences_carry_their_sign_and_their_interval():
    text = shown(differences=[difference("lightgbm", "har", 0.0381, -0.0716, 0.1478)])
    assert "lightgbm har +0.04 [-0.07, +0.15] +0.038 [-0.072, +0.148]" in text


def test_parts_of_the_test_stand_beside_the_best_baseline_and_hours_only_in_words():
    paired = PairedScore(
        baseline="r", chosen=0.61, of_baseline=0.65, difference=interval(-0.04, -0.06, -0.02)
    )
    part = SkillRow(
        by="key", name="BTC-USD", rows=4321, blocks=30, events=3, base_rate=0.1, pr_auc=None,
        log_loss=paired, log_r2=None, better_than_reference=[],
    )  # fmt: skip
    text = shown(skill=[part, msgspec.structs.replace(part, by="hour", name="03:00")])
    assert "BTC-USD 4,321 0.10 n/d -0.04 [-0.06, -0.02]" in text
    assert "03:00 4,321" not in text
    assert "surely below that of r in: keys BTC-USD; hours of the day (UTC) 03:00." in text


def test_each_session_stands_for_itself_beside_the_reference():
    text = shown(sessions=[session(), session(start_ns=1_764_570_000 * 10**9, rows=967)])
    assert "all 4,321 0.20 3 0.610 0.400 0.300 0.500" in text
    assert "2025-12-01 06:20:00Z 967 0.20 3" in text


def test_the_gates_word_and_its_reasons_come_last():
    text = shown(decision=Decision(promote=False, reasons=("too few rows", "too late")))
    assert "c/1 (m) is registered as candidate, not promoted: · too few rows · too late" in text
    assert "c/1 (m) is champion: · good" in shown()


def test_what_was_left_out_is_named_once_with_its_reason():
    text = shown(
        keys_left_out={"ETH-USD": "no labels"},
        candidates_left_out={"xgboost": "xgboost: have 0 rows"},
        features_left_out={"book_imbalance": "nobody offers it"},
    )
    assert "left out ETH-USD: no labels" in text
    assert "left out xgboost: have 0 rows" in text
    assert "left out book_imbalance: nobody offers it" in text


def test_the_control_is_shown_where_it_was_run():
    control = Control(
        candidate="logistic",
        pr_auc=interval(0.1, 0.067, 0.144),
        base_rate=interval(0.112, 0, 1),
        over=interval(0, 0, 0),
    )
    text = shown(control=control)
    assert "no-signal control: logistic has PR-AUC 0.100 [0.067, 0.144] at base rate 0.112" in (
        text
    )
    assert "no-signal control" not in shown()


def test_what_is_not_defined_is_no_figure():
    nothing = [math.nan] * 3
    text = shown(scores=[candidate("r", *nothing), candidate(CHOSEN, *nothing)])
    assert "nan" not in text
    assert "n/d" in text


LEVEL = LevelScores(
    rmse=interval(0.00262, 0, 1), r2=interval(0.449, 0, 1), mae=interval(0.00145, 0, 1),
    mape=interval(0.373, 0, 1), pinball=interval(0.000246, 0, 1),
    coverage=interval(0.901, 0.896, 0.906), width=4.46,
    coverage_by_year={"2023": 0.897, "2024": 0.902}, coverage_by_slot=[0.899, 0.901, 0.9, math.nan],
    coverage_by_regime=[0.91, 0.9, 0.9, 0.88],
)  # fmt: skip


def test_a_case_of_values_has_a_table_of_them_and_what_its_intervals_held():
    known = candidate(CHOSEN, 0.61, 0.6, 0.7, level=LEVEL)
    text = shown(scores=[candidate("logistic", 0.4, 0.3, 0.5), known])
    assert f"{CHOSEN} 0.00262 0.00145 0.45 0.37 0.000246 90.1% [89.6%, 90.6%] 4.5" in text
    assert "2023 89.7%" in text
    assert "part 1 of 4 of the day 89.9%" in text
    assert "part 4 of 4 of the forecasts, lowest first 88.0%" in text
    assert "the value itself" not in shown()


def test_its_differences_have_that_of_qlike_and_a_test_of_it():
    more = {
        "qlike": interval(-0.047, -0.061, -0.033),
        "diebold_mariano": DieboldMariano(statistic=-7.31, p_value=2.7e-13, lags=167),
    }
    of = msgspec.structs.replace(difference(CHOSEN, "har", 0.04, -0.07, 0.15), **more)
    known = candidate(CHOSEN, 0.61, 0.6, 0.7, level=LEVEL)
    text = shown(scores=[known], differences=[of])
    assert f"{CHOSEN} har -0.047 [-0.061, -0.033] -7.3 2.7e-13" in text


def test_it_says_what_was_kept_of_more_rows_than_a_training_may_have():
    report = training_report()
    data = msgspec.structs.replace(report.data, sample=FACTS)
    text = " ".join(text_of(training(msgspec.structs.replace(report, data=data))).split())
    assert " ".join(sentences(FACTS)) in text
