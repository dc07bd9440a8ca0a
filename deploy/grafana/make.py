"""Makes the Grafana dashboard from code; `--check` only says whether it is stale.

`dashboards/barograph.json` is made and committed, so that Grafana can be provisioned without
Python. The panels stand in ROWS.
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as words

HERE = Path(__file__).resolve().parent
OUT = HERE / "dashboards" / "barograph.json"
SOURCE = words.DataSourceRef(type_val="prometheus", uid="barograph-prometheus")
RANGE = "$__rate_interval"


class Query(NamedTuple):
    """A query and what its series are called."""

    expr: str
    legend: str = "{{instance}}"


class Figure(NamedTuple):
    """A panel: its title, what it shows, the unit, the queries, and from where on it is red."""

    title: str
    shows: str
    unit: str
    queries: tuple[Query, ...]
    red_from: float | None = None
    is_number: bool = False


def rate(metric: str, by: str, labels: str = "") -> str:
    """The rate of a counter, by labels."""
    return f"sum by ({by}) (rate({metric}{labels}[{RANGE}]))"


def quantiles(metric: str, by: str, legend: str, labels: str = "") -> tuple[Query, ...]:
    """p50, p95 and p99 of a histogram, by a label."""
    inner = f"sum by ({by}, le) (rate({metric}_bucket{labels}[{RANGE}]))"
    return tuple(
        Query(f"histogram_quantile({quantile}, {inner})", f"{legend} p{quantile * 100:g}")
        for quantile in (0.5, 0.95, 0.99)
    )


ROWS: dict[str, tuple[Figure, ...]] = {
    "Now": (
        Figure(
            "Ticks a second", "Taken from the venue.", "none",
            (Query(rate("barograph_ticks_total", "instance")),), is_number=True,
        ),
        Figure(
            "Age of the feed", "Since the last frame.", "s",
            (Query("time() - barograph_feed_last_frame_timestamp_seconds"),), 30, is_number=True,
        ),
        Figure(
            "p95 of predictions", "From the frame that closed a second to the prediction.", "s",
            (Query("barograph:prediction_latency_seconds:p95", "{{source}}"),), 0.5, is_number=True,
        ),
        Figure(
            "Lag", "Records that workers have still to read.", "none",
            (Query("sum by (group) (barograph_lag_records)", "{{group}}"),), 5000, is_number=True,
        ),
        Figure(
            "Model", "The version in use.", "none",
            (Query('barograph_model_info{alias="champion"}', "{{case}}: {{model}}"),),
            is_number=True,
        ),
        Figure(
            "Alerts of Prometheus", "Firing now.", "none",
            (
                Query(
                    'count(ALERTS{alertstate="firing", alertname=~"Barograph.*"}) or vector(0)', ""
                ),
            ),
            1, is_number=True,
        ),
    ),
    "Feed": (
        Figure(
            "Ticks", "By product.", "none",
            (Query(rate("barograph_ticks_total", "product"), "{{product}}"),),
        ),
        Figure(
            "Gaps", "Recorded, by cause.", "none",
            (Query(f"sum by (cause) (increase(barograph_gaps_total[{RANGE}]))", "{{cause}}"),),
        ),
        Figure(
            "Dead letters", "By where and why.", "none",
            (
                Query(
                    f"sum by (stage, reason) (increase(barograph_dead_letters_total[{RANGE}]))",
                    "{{stage}} {{reason}}",
                ),
            ),
        ),
        Figure(
            "Connections and troubles", "Opened, failed and given up.", "none",
            (
                Query(f"increase(barograph_feed_connections_total[{RANGE}])", "opened"),
                Query(f"increase(barograph_feed_troubles_total[{RANGE}])", "troubles"),
                Query(f"increase(barograph_feed_overflows_total[{RANGE}])", "overflows"),
                Query(f"increase(barograph_feed_rest_failures_total[{RANGE}])", "REST failures"),
            ),
        ),
        Figure(
            "Queue", "Entries between socket and writer.", "none",
            (
                Query("barograph_feed_queue_entries", "waiting"),
                Query(f"increase(barograph_feed_queue_full_total[{RANGE}])", "times full"),
            ),
        ),
        Figure(
            "Clock offset", "Exchange time − receive time, median of a minute.", "s",
            (Query("barograph_feed_clock_offset_seconds"),),
        ),
    ),
    "Latency": (
        Figure(
            "Steps, p95", "What each step adds, from the exchange to the prediction.", "s",
            (
                Query(
                    "histogram_quantile(0.95, sum by (step, le) "
                    f"(rate(barograph_step_latency_seconds_bucket[{RANGE}])))",
                    "{{step}}",
                ),
            ),
        ),
        Figure(
            "Predictions", "From the frame that closed a second to the committed prediction.", "s",
            quantiles("prediction_latency_seconds", "source", "{{source}}"), 0.5,
        ),
        Figure(
            "Computing", "Share of a second in each worker's machine.", "percentunit",
            (Query(rate("barograph_work_seconds_total", "group"), "{{group}}"),),
        ),
    ),
    "Workers": (
        Figure(
            "Records", "Read and settled.", "none",
            (Query(rate("barograph_records_total", "group"), "{{group}}"),),
        ),
        Figure(
            "Commits", "By group.", "none",
            (Query(rate("barograph_commits_total", "group"), "{{group}}"),),
        ),
        Figure(
            "Lag", "Records still to be read.", "none",
            (Query("sum by (group) (barograph_lag_records)", "{{group}}"),), 5000,
        ),
        Figure(
            "Rebalances", "Partitions that came and went; commits refused.", "none",
            (
                Query(
                    f"sum by (group, change) (increase(barograph_rebalances_total[{RANGE}]))",
                    "{{group}} {{change}}",
                ),
                Query(
                    f"sum by (group) (increase(barograph_fenced_total[{RANGE}]))",
                    "{{group}} fenced",
                ),
            ),
        ),
        Figure(
            "Late", "For a second that had closed.", "none",
            (Query(rate("barograph_late_total", "group"), "{{group}}"),),
        ),
    ),
    "Predictions and models": (
        Figure(
            "Verdicts", "Predictions by verdict.", "none",
            (
                Query(
                    rate("barograph_predictions_total", "group, verdict"), "{{group}} {{verdict}}"
                ),
            ),
        ),
        Figure(
            "Probability", "Quantiles of what is predicted.", "percentunit",
            quantiles("barograph_prediction_probability", "group", "{{group}}"),
        ),
        Figure(
            "Alarms", "Predictions at or above their threshold.", "none",
            (Query(rate("barograph_alarms_total", "group"), "{{group}}"),),
        ),
        Figure(
            "Live scores", "Of the champion's matured predictions.", "none",
            (
                Query("barograph_live_pr_auc", "{{case}} PR-AUC"),
                Query("barograph_live_base_rate", "{{case}} base rate"),
                Query("barograph_live_calibration_error", "{{case}} calibration error"),
            ),
        ),
        Figure(
            "Time to expiry", "Of the version in use.", "s",
            (
                Query(
                    "barograph_model_expires_timestamp_seconds - time()", "{{alias}} of {{case}}"
                ),
            ),
        ),
        Figure(
            "Versions taken up, trainings", "In the last hour.", "none",
            (
                Query("increase(barograph_model_swaps_total[1h])", "{{alias}} taken up"),
                Query("increase(barograph_trainings_total[1h])", "training {{result}}"),
            ),
        ),
    ),
    "Drift": (
        Figure(
            "Rows out of range", "Share with a feature outside the training span.", "percentunit",
            (Query("data_drift_ratio", "{{case}}"),), 0.15,
        ),
        Figure(
            "Features out of range", "The ten that are most often.", "none",
            (
                Query(
                    f"topk(10, sum by (case, feature) (rate(feature_ood_total[{RANGE}])))",
                    "{{feature}}",
                ),
            ),
        ),
        Figure(
            "Drift test", "1 where the reference is long enough to judge every key.", "none",
            (Query("barograph_drift_judged", "{{case}}"),),
        ),
    ),
    "Alerts": (
        Figure(
            "Alerts of Barograph", "Changes by rule.", "none",
            (
                Query(
                    f"sum by (rule, change) (increase(barograph_alerts_total[{RANGE}]))",
                    "{{rule}} {{change}}",
                ),
            ),
        ),
        Figure(
            "Deliveries", "By sink.", "none",
            (
                Query(
                    f"sum by (sink, result) (increase(barograph_alert_deliveries_total[{RANGE}]))",
                    "{{sink}} {{result}}",
                ),
            ),
        ),
        Figure(
            "Warnings", "Printed on standard error.", "none",
            (Query(f"increase(barograph_warnings_total[{RANGE}])"),),
        ),
    ),
    "Web": (
        Figure(
            "Requests", "By route and status.", "none",
            (Query(rate("http_requests_total", "route, status"), "{{route}} {{status}}"),),
        ),
        Figure(
            "Duration of requests, p95", "By route.", "s",
            (
                Query(
                    "histogram_quantile(0.95, sum by (route, le) "
                    f"(rate(http_request_duration_seconds_bucket[{RANGE}])))",
                    "{{route}}",
                ),
            ),
        ),
        Figure(
            "Readers of the stream", "Now, and let go by reason.", "none",
            (
                Query("sum by (kind) (barograph_stream_readers)", "{{kind}}"),
                Query(
                    f"sum by (reason) (increase(barograph_stream_closed_total[{RANGE}]))",
                    "let go: {{reason}}",
                ),
            ),
        ),
    ),
    "Process": (
        Figure("Memory", "Resident.", "bytes", (Query("process_resident_memory_bytes"),)),
        Figure(
            "Processor", "Cores in use.", "none",
            (Query(rate("process_cpu_seconds_total", "instance")),),
        ),
        Figure(
            "File handles", "Open, and the most allowed.", "none",
            (
                Query("process_open_fds", "{{instance}} open"),
                Query("process_max_fds", "{{instance}} most"),
            ),
        ),
        Figure(
            "Versions", "What runs.", "none",
            (Query("barograph_build_info", "{{instance}}: {{verb}} {{version}}"),), is_number=True,
        ),
    ),
}  # fmt: skip
"""The rows of the dashboard and their panels."""


def panel(figure: Figure) -> stat.Panel | timeseries.Panel:
    """The builder of a panel."""
    made: stat.Panel | timeseries.Panel
    if figure.is_number:
        calculated = common.ReduceDataOptions().calcs(["lastNotNull"])
        made = stat.Panel().reduce_options(calculated).height(4).span(4)
        if figure.title in {"Model", "Versions"}:
            made = made.text_mode(options.BigValueTextMode.NAME)
    else:
        made = timeseries.Panel().height(8).span(8).fill_opacity(8).line_width(1)
    made = made.title(figure.title).description(figure.shows).unit(figure.unit).datasource(SOURCE)
    steps = [words.Threshold(value=None, color="green")]
    if figure.red_from is not None:
        steps.append(words.Threshold(value=figure.red_from, color="red"))
    made = made.thresholds(
        dashboard.ThresholdsConfig().mode(words.ThresholdsMode.ABSOLUTE).steps(steps)
    )
    for place, query in enumerate(figure.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend)
        made = made.with_target(target.ref_id(chr(ord("A") + place)).datasource(SOURCE))
    return made


def dashboard_json() -> str:
    """The dashboard as Grafana takes it."""
    made = (
        dashboard.Dashboard("Barograph")
        .uid("barograph")
        .tags(["barograph"])
        .refresh("15s")
        .time("now-1h", "now")
        .timezone("browser")
        .readonly()
        .tooltip(words.DashboardCursorSync.CROSSHAIR)
    )
    for title, figures in ROWS.items():
        made = made.with_row(dashboard.Row(title))
        for figure in figures:
            made = made.with_panel(panel(figure))
    return json.dumps(made.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write the dashboard if it is stale; with `--check` only say so, and return 1."""
    wanted = dashboard_json()
    if OUT.exists() and OUT.read_text(encoding="utf-8") == wanted:
        return 0
    if arguments == ["--check"]:
        print(f"{OUT.name} is stale: run `make deploy`")
        return 1
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(wanted, encoding="utf-8")
    print(f"{OUT.name} made anew")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
