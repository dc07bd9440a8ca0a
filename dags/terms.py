"""What all tasks have in common: tries, limits, and the pool that lets one at a time use a home."""

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import Param

HOME = os.environ.get("BAROGRAPH_HOME", "/var/lib/barograph")
"""Directory of log, archive, datasets and registry, unless a run names another."""

TASKS: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(minutes=15),
    "pool": "barograph",
}


def text(variable: str, default: str, what: str) -> Param:
    """A text that a run may be given; its default is an environment variable's, or `default`."""
    return Param(os.environ.get(variable, default), type="string", description=what)


DAGS: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "default_args": TASKS,
    "tags": ["barograph"],
}

PLACES = {"--home": "{{ params.home }}", "--log": "{{ params.log }}"}
OF_CASE = PLACES | {"--case": "{{ params.case }}"}
"""Options of verbs on the records of a case."""

RECORDS = {
    "home": text("BAROGRAPH_HOME", HOME, "Directory with the registry"),
    "log": text("BAROGRAPH_LOG", "kafka://127.0.0.1:9092", "Log, as kafka://host:port"),
    "case": text("BAROGRAPH_RECORDS_CASE", "churn", "Case of the records"),
    "file": text(
        "BAROGRAPH_RECORDS", f"{HOME}/customers.csv", "Records: CSV with a header, or .ndjson"
    ),
}
"""Parameters of a run on the records of a file."""
