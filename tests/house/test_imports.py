"""Who may import what, and how early."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from barograph.cases.named import CASES

HOMES = {
    "typer": ({"app/cli/__init__.py"}, "top"),
    "rich": (
        {
            "app/terminal/terminal.py",
            "app/terminal/alert_tables.py",
            "app/terminal/backup_lines.py",
            "app/terminal/listing.py",
            "app/terminal/findings.py",
            "app/terminal/history.py",
            "app/terminal/model_page.py",
            "app/terminal/model_list.py",
            "app/terminal/doctor_page.py",
            "app/terminal/feature_laws.py",
            "app/terminal/forms_seen.py",
            "app/terminal/settings_table.py",
            "app/terminal/training_summary.py",
            "app/terminal/training_table.py",
            "app/terminal/live_view.py",
            "app/terminal/fitted_table.py",
            "app/runs/up.py",
        },
        "top",
    ),
    "pydantic_settings": ({"app/settings.py"}, "top"),
    "pydantic": ({"app/settings.py", "app/cli/options.py"}, "top"),
    "prometheus_client": ({"telemetry.py"}, "top"),
    "structlog": ({"app/logs.py"}, "inside"),
    "isal": ({"files/lines.py"}, "top"),
    "zstandard": ({"files/packed.py"}, "inside"),
    "polars": (
        {
            "cases/hourly.py",
            "evaluation/quality.py",
            "evaluation/quality_report.py",
            "feed/candle_file.py",
            "feed/candle_hours.py",
            "training/dataset.py",
            "training/dataset_parts.py",
            "training/dataset_table.py",
            "training/sampled_dataset.py",
            "training/usable_counts.py",
            "training/record_dataset.py",
            "training/series_dataset.py",
            "training/drift_reference.py",
            "training/drift_report.py",
            "app/reports/evidently_page.py",
            "app/reports/profile_page.py",
            "files/parquet.py",
            "files/json_columns.py",
            "files/parquet_reader.py",
            "cases/case.py",
            "cases/series.py",
            "cases/tabular.py",
            "cases/spikes.py",
            "archive/compact.py",
            "archive/lake.py",
            "archive/lake_health.py",
            "training/lake_dataset.py",
            "training/stretches.py",
            "app/runs/predicting.py",
            *(
                f"library/{name}.py"  # whose frames are Polars'
                for name in (
                    "evaluation",
                    "foreign_frames",
                    "frames",
                    "home",
                    "labels",
                    "evaluated_rows",
                    "model_inputs",
                    "topic_columns",
                    "record_frames",
                    "column_values",
                    "tick_columns",
                    "ticks",
                )
            ),
        },
        "top",
    ),
    "confluent_kafka": (
        {
            f"log/kafka/{name}.py"  # which is imported for a Kafka address only
            for name in ("cluster", "member", "reader", "topics", "transactions")
        },
        "top",
    ),
    "fastapi": (
        {
            f"app/web/{name}.py"
            for name in (
                "application",
                "forecasting",
                "managing",
                "openapi",
                "reading",
                "scoring",
                "streaming",
            )
        },
        "top",
    ),
    "starlette": (
        {
            f"app/web/{name}.py"
            for name in (
                "application",
                "forecasting",
                "guard",
                "managing",
                "reading",
                "refused",
                "scoring",
                "streaming",
            )
        },
        "top",  # what fastapi is made of
    ),
    "uvicorn": ({"app/web/server.py", "app/web/connection.py"}, "top"),
    "apprise": ({"app/alerting/services.py"}, "inside"),
    "websockets": ({"simulated/exchange.py", "feed/venue_socket.py", "wire.py"}, "top"),
    "h11": ({"rest.py"}, "top"),
    "jwt": ({"feed/credentials.py"}, "inside"),
    "cryptography": ({"feed/credentials.py"}, "inside"),
    "lightgbm": ({"learning/boosting.py"}, "inside"),
    "xgboost": ({"learning/boosting.py"}, "inside"),
    "sklearn": (
        {
            "learning/boosting.py",
            "learning/linear.py",
            "learning/estimators.py",
            "library/splitters.py",
        },
        "inside",
    ),
    "pyspark": ({"training/spark.py"}, "inside"),
    "py4j": ({"training/spark.py"}, "inside"),  # what pyspark is made of
    "skl2onnx": ({"learning/estimators.py"}, "inside"),
    "scipy": (
        {"learning/log_logistic.py", "evaluation/drift_limits.py", "evaluation/drift_usual.py"},
        "inside",
    ),
    "evidently": ({"app/reports/evidently_page.py"}, "inside"),
    "ydata_profiling": ({"app/reports/profile_page.py"}, "inside"),
    "pandas": (
        {
            "app/reports/evidently_page.py",
            "app/reports/profile_page.py",
            "library/frames.py",
            "registry/mlflow_flavours.py",
        },
        "inside",
    ),
    "pyarrow": ({"library/foreign_frames.py", "library/frames.py"}, "inside"),
    "fsspec": ({"archive/object_store.py"}, "inside"),
    "s3fs": ({"archive/object_store.py"}, "inside"),
    "botocore": ({"archive/object_store.py"}, "inside"),
    "aiohttp": ({"archive/object_store.py"}, "inside"),
    "arch": ({"cases/baselines.py"}, "inside"),
    "onnx": (
        {
            "registry/model.py",
            "learning/onnx_graph.py",
            "learning/encoding.py",
            "learning/ready_graphs.py",
            "learning/trees.py",
        },
        "inside",
    ),
    "onnxruntime": ({"registry/model.py"}, "inside"),
    "google": ({"registry/model.py", "learning/ready_graphs.py"}, "inside"),
    "matplotlib": (
        {
            f"app/reports/{name}.py"  # which is imported where a report is written
            for name in (
                "card_charts",
                "card_figures",
                "card_skill",
                "comparison_charts",
                "figures_svg",
                "quality_charts",
            )
        }
        | {"library/plot.py"},  # for types alone
        "top",
    ),
    "pandera": ({"evaluation/quality.py"}, "inside"),
    "mlflow": ({"registry/embedded.py"}, "inside"),
    "sqlalchemy": ({"registry/embedded.py"}, "inside"),
    "numba": ({"compiled.py"}, "top"),
}
"""Package → the files that may import it, and whether at their top or inside a function only."""

EVERYWHERE = {"numpy", "msgspec", "barograph"}

UNDER_ANOTHER_NAME = {"scikit-learn": "sklearn", "pydantic-settings": "pydantic_settings"}
WITHOUT_IMPORT = {
    "alembic": "MLflow's SQLite store migrates with it",
    "mlflow-skinny": "is imported as mlflow",
    "httptools": "uvicorn parses HTTP with it",
    "uvloop": "uvicorn runs on it",
}


def test_a_package_is_imported_where_it_is_at_home(sources, nodes):
    strangers = []
    for name, tree in sources.items():
        top = {id(node) for node in tree.body}
        for node, package in _imports(nodes[name]):
            if package in EVERYWHERE or package in sys.stdlib_module_names:
                continue
            files, place = HOMES.get(package, (set(), "top"))
            early = place == "inside" and id(node) in top
            if early or (name not in files and not name.startswith("app/cli/")):
                strangers.append(f"{name}:{node.lineno} {package}")
    assert strangers == []


def test_the_command_line_imports_packages_inside_its_verbs_only(sources):
    trees = [tree for name, tree in sources.items() if name.startswith("app/cli/")]
    early = {package for tree in trees for _, package in _imports(tree.body)}
    assert early - set(sys.stdlib_module_names) == {"typer", "barograph"}


def test_no_home_is_out_of_date(nodes):
    lost = [
        f"{package} in {file}"
        for package, (files, _) in HOMES.items()
        for file in files
        if file not in nodes or package not in {imported for _, imported in _imports(nodes[file])}
    ]
    assert lost == []


def test_every_dependency_is_used(root, nodes):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    used = {package for of_file in nodes.values() for _, package in _imports(of_file)}
    unused = {
        name
        for name in names - set(WITHOUT_IMPORT)
        if UNDER_ANOTHER_NAME.get(name, name.replace("-", "_")) not in used
    }
    assert unused == set()


def test_the_package_alone_imports_reads_and_sets_nothing():
    code = (
        "import os, sys; modules, variables = set(sys.modules), dict(os.environ); opened = []\n"
        "sys.addaudithook(lambda event, facts: opened.append(facts[0]) if event == 'open' else 0)\n"
        "import barograph\n"
        "own = os.path.dirname(barograph.__file__)\n"
        "read = {os.path.basename(path).split('.')[0] for path in opened if own in str(path)}\n"
        "print(*set(sys.modules) - modules, *read, dict(os.environ) == variables)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["barograph", "__init__", "True"]


@pytest.mark.slow
def test_help_needs_nothing_heavy():
    """`barograph --help` answers at once."""
    code = "import sys, barograph.app.cli; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    heavy = {"numpy", "msgspec", *HOMES} - {"typer"}
    assert heavy.intersection(done.stdout.split()) == set()


@pytest.mark.slow
def test_imports_go_down_the_floors_only(root):
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"], cwd=root, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]


def _imports(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield node, (node.module or "").split(".")[0]


def test_no_job_names_a_case(nodes):
    """Whoever is handed a case works for every one; only cases and the doors know them by name."""
    modules = {path.partition(":")[0] for path in CASES.values()}
    named = [
        f"{path}:{node.lineno}"
        for path, of_file in nodes.items()
        # The feature set of hours bears the name of the case that uses it.
        if not path.startswith(("cases/", "app/", "library/", "feature_set/hourly/"))
        for node in of_file
        if (isinstance(node, ast.Constant) and node.value in {*CASES})
        or (isinstance(node, ast.ImportFrom) and node.module in modules)
    ]
    assert named == []
