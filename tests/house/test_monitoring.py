"""What deploy/ says to Prometheus, Alertmanager and Grafana is about metrics that exist."""

import json
import re
import runpy
import subprocess

import pytest
import yaml

from barograph import telemetry
from barograph.types import Fault

FUNCTIONS = {
    "abs", "count", "histogram_quantile", "increase", "or", "rate", "sum", "time", "topk", "vector",
}  # fmt: skip
OF_PROMETHEUS = {"up", "ALERTS"}


@pytest.fixture(scope="module")
def deploy(root):
    return root / "deploy"


@pytest.fixture(scope="module")
def rules(deploy):
    groups = yaml.safe_load((deploy / "prometheus" / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def known(rules):
    """Every name that a query may use: samples of metrics, records, what Prometheus makes."""
    names = OF_PROMETHEUS | {rule["record"] for rule in rules if "record" in rule}
    for each in telemetry.DESCRIPTIONS:
        ends = ("_bucket", "_sum", "_count") if each.kind == "histogram" else ("",)
        names |= {each.name + end for end in ends}
    for metric in telemetry.PROCESS.collect():
        names |= {sample.name for sample in metric.samples}
    return names


def named(query):
    """The metrics that a query names: what stands neither in braces, quotes, `by ()` nor `[]`."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)', "", query)
    return set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare)) - FUNCTIONS


def labels_in(query):
    """(metric, label) of each matcher of a query."""
    return {
        (metric, label)
        for metric, matchers in re.findall(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}", query)
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)
    }


@pytest.fixture(scope="module")
def queries(deploy, rules):
    dashboard = json.loads((deploy / "grafana" / "dashboards" / "barograph.json").read_text())
    targets = [
        target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())
    ]
    assert len(targets) > 40
    return [rule["expr"] for rule in rules] + targets


def test_every_query_names_metrics_that_exist(queries, known):
    unknown = {name for query in queries for name in named(query)} - known
    assert unknown == set()


def test_every_query_matches_labels_that_its_metric_has(queries):
    """A matcher of a label that is not there matches nothing, silently."""
    ends = ("_bucket", "_sum", "_count")
    labels = {
        each.name + end: set(each.labels)
        for each in telemetry.DESCRIPTIONS
        for end in (ends if each.kind == "histogram" else ("",))
    }
    wrong = [
        (metric, label)
        for query in queries
        for metric, label in labels_in(query)
        if metric in labels and label not in labels[metric]
    ]
    assert wrong == []


def test_every_metric_is_shown_or_has_its_reason(queries):
    """What nobody looks at is counted for nothing."""
    shown = {name for query in queries for name in named(query)}
    unseen = {
        each.name
        for each in telemetry.DESCRIPTIONS
        if not any(name.startswith(each.name) for name in shown)
    }
    assert unseen == set(UNSEEN)


UNSEEN = {
    "barograph_heartbeats_total": "of interest beside ticks only when a venue is debugged",
    "barograph_trades_total": "as heartbeats",
    "barograph_trades_filled_total": "as heartbeats",
    "barograph_trades_missing_total": "gaps are shown",
    "barograph_feed_last_tick_timestamp_seconds": "of each product, for rules of one's own",
    "barograph_feed_queue_bytes": "its entries are shown",
    "barograph_feed_open_holes": "gaps are shown",
    "barograph_values_total": "records are shown",
    "barograph_candle_checks_total": "a difference is a warning, and a record with both values",
    "barograph_drift_alarm": "it is an alert of Barograph's own",
}
"""Metrics on no panel and in no rule, and why."""


def test_every_alert_has_a_runbook_that_says_what_to_look_at_and_what_cures_it(root, rules):
    alerts = [rule for rule in rules if "alert" in rule]
    assert len(alerts) > 10
    operations = (root / "docs" / "operations.md").read_text()
    for rule in alerts:
        place = rule["annotations"]["runbook_url"]
        text = (root / place).read_text()
        title = text.splitlines()[0]
        assert rule["alert"] in title, place
        assert "## Look at" in text, place
        assert "## Cure" in text, place
        assert f"]({place.removeprefix('docs/')})" in operations, place
        assert rule["alert"] in operations
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].startswith("{{ $labels.instance }}")


def test_every_runbook_belongs_to_an_alert(root, rules):
    used = {rule["annotations"]["runbook_url"] for rule in rules if "alert" in rule}
    there = {f"docs/runbooks/{path.name}" for path in (root / "docs" / "runbooks").glob("*.md")}
    assert there == used


def test_every_metric_that_a_runbook_names_exists(root, known):
    names = {each.name for each in telemetry.DESCRIPTIONS}
    for path in (root / "docs" / "runbooks").glob("*.md"):
        for name in re.findall(
            r"`((?:barograph|feature|data|http|process)_\w+)`", path.read_text()
        ):
            assert name in names | known, (path.name, name)


def test_every_reason_that_a_runbook_names_exists(root):
    table = (root / "docs" / "runbooks" / "dead-letters.md").read_text().partition("## Cure")[2]
    cells = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.MULTILINE)
    reasons = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert len(reasons) > 5
    assert reasons <= {str(fault) for fault in Fault}


def test_every_alert_fires_in_a_unit_test_and_is_silent_in_one(deploy, rules):
    tests = yaml.safe_load((deploy / "prometheus" / "rules_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", ())]
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fires == silent == {rule["alert"] for rule in rules if "alert" in rule}


def test_the_dashboard_is_made_from_its_code(deploy):
    make = runpy.run_path(str(deploy / "grafana" / "make.py"))
    assert make["OUT"].read_text(encoding="utf-8") == make["dashboard_json"]()


def test_panels_refer_to_the_datasource_that_is_provisioned(deploy):
    folder = deploy / "grafana"
    provisioned = yaml.safe_load((folder / "provisioning/datasources/prometheus.yml").read_text())
    dashboard = json.loads((folder / "dashboards" / "barograph.json").read_text())
    uids = {
        target["datasource"]["uid"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }
    assert uids == {source["uid"] for source in provisioned["datasources"]}


@pytest.mark.parametrize(
    "words",
    [
        ("promtool", "check", "config", "prometheus/prometheus.yml"),
        ("promtool", "check", "config", "prometheus/compose.yml"),
        ("promtool", "check", "rules", "prometheus/rules.yml"),
        pytest.param(
            ("promtool", "test", "rules", "prometheus/rules_test.yml"),
            marks=pytest.mark.slow,
            id="test rules",
        ),
        ("amtool", "check-config", "alertmanager/alertmanager.yml"),
    ],
    ids=lambda words: " ".join(words[1:3]),
)
@pytest.mark.usefixtures("prometheus", "alertmanager")
def test_the_tools_of_prometheus_are_content(deploy, words):
    done = subprocess.run(words, cwd=deploy, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
