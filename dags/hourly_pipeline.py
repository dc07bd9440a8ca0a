"""Hourly candles to a promoted model, every six hours; each task is a verb of the command line.

The logical date says what a run is about: all that was known at the end of its hour. A run that is
repeated, or goes on after it was killed, makes the same dataset and model, and no second version.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param
from assets import HOURLY_CHAMPION, HOURLY_DATASET
from terms import DAGS, HOME, text
from verb import VerbOperator

HOUR = "{{ logical_date.strftime('%Y-%m-%dT%H:00:00Z') }}"
"""The last full hour before the logical date."""

VERSION = """
{%- set trained = ti.xcom_pull(task_ids='train') or {} -%}
{{ trained.get('model.version') or trained.get('version') }}"""
"""The version of this run, trained by it or before in the same way; another run's may be newer."""

AT_HOME = {"--home": "{{ params.home }}"}
OF_CASE = AT_HOME | {"--case": "hourly"}
CANDLES = AT_HOME | {
    "--until": HOUR,
    "--product": "{{ params.product }}",
    "--hours": "{{ params.hours }}",
    "--source": "{{ params.source }}",
    "--url": "{{ params.url }}",
    "--file": "{{ params.file }}",
}
PAGES = "{{ params.home }}/reports/hourly/{{ logical_date.strftime('%Y%m%dT%H') }}"

with DAG(
    "hourly_pipeline",
    description="Candles through the quality gate to a model that is compared and promoted",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("5 */6 * * *", timezone="UTC", run_immediately=True),
    dagrun_timeout=timedelta(hours=5),
    params={
        "home": text("BAROGRAPH_HOME", HOME, "Directory of log, archive, datasets and registry"),
        "product": text("BAROGRAPH_PRODUCT", "BTC-USD", "Product of the candles"),
        "hours": Param(45_000, type="integer", minimum=1, description="Hours before the last one"),
        "source": text(
            "BAROGRAPH_CANDLES_SOURCE",
            "coinbase",
            "Service of the candles: coinbase or cryptocompare",
        ),
        "url": text("BAROGRAPH_CANDLES_URL", "", "Address of the service instead of its own"),
        "file": text("BAROGRAPH_CANDLES", "", "Candles of this CSV or Parquet file instead"),
        "candidates": text(
            "BAROGRAPH_CANDIDATES",
            "linear,lightgbm_regression,combination",
            "Candidates beside the baselines",
        ),
    },
    **DAGS,
):
    extract = VerbOperator(
        task_id="extract",
        verb=["extract", "--hold"],
        options=CANDLES,
        figures=["extracts.0.hours", "extracts.0.held", "extracts.0.there", "extracts.0.missing",
                 "extracts.0.requests", "extracts.0.reused"],
    )  # fmt: skip
    quality_gate = VerbOperator(
        task_id="quality_gate",
        verb=["extract"],
        options=CANDLES,
        figures=["extracts.0.passed", "extracts.0.new", "extracts.0.there", "extracts.0.revised",
                 "extracts.0.bad", "extracts.0.missing", "extracts.0.report.rows",
                 "extracts.0.report.good"],
    )  # fmt: skip
    features = VerbOperator(
        task_id="features",
        verb=["dataset"],
        options=OF_CASE | {"--until": HOUR},
        figures=["rows", "usable", "unused", "dead_letters", "table_sha256"],
        outlets=[HOURLY_DATASET],
    )
    profile = VerbOperator(
        task_id="profile",
        verb=["report", "profile", "--no-keep", "--rows=2000"],
        options=OF_CASE | {"--out": f"{PAGES}-profile.html"},
        figures=["rows", "page"],
    )
    train = VerbOperator(
        task_id="train",
        verb=["train", "--once", "--no-promote", "--no-control"],
        options=OF_CASE | {"--at": HOUR, "--candidates": "{{ params.candidates }}"},
        figures=["model.version", "model.chosen", "tested.rows", "gate.decision", "version", "why"],
        execution_timeout=timedelta(hours=2),
    )
    compare = VerbOperator(
        task_id="compare",
        verb=["report", "compare", "--if-other", "--format=html"],
        options=OF_CASE | {"--candidate": VERSION, "--out": f"{PAGES}-comparison.html"},
        figures=["verdict", "reasons", "rows", "compared", "why"],
        no="answer",
    )
    promote = VerbOperator(
        task_id="promote",
        verb=["models", "promote", "--gated"],
        options=OF_CASE,
        arguments=[VERSION],
        figures=["version", "previous", "champion", "reason"],
        no="skip",
        outlets=[HOURLY_CHAMPION],
    )
    report = VerbOperator(
        task_id="report",
        verb=["report", "card"],
        options=OF_CASE | {"--out": f"{PAGES}-card.html"},
        arguments=[VERSION],
        figures=["training.model", "training.tested.rows", "training.gate.decision", "failures"],
        trigger_rule="none_failed",
    )
    extract >> quality_gate >> features >> profile >> train >> compare >> promote >> report
