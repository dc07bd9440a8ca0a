"""Charts of a rehearsal, as SVG elements styled by the page's CSS classes.

All are as wide as a phone and scale up.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from barograph.app.reports.markup import Element, el
from barograph.app.runs.rehearsal_accounts import Latency
from barograph.evaluation.scores import ReliabilityBin
from barograph.figures import MS, duration, estimate, figure, interval
from barograph.training.pooled import ScoreRow

_WIDTH, _LEFT, _RIGHT = 420.0, 44.0, 20.0
_PANEL, _BARS = 104.0, 58.0
_SQUARE = 260.0
_NAMES, _ROW = 128.0, 26.0

Scale = Callable[[float], float]


def latencies(modes: Mapping[str, Latency]) -> Element:
    """Latency histogram of each mode, on a shared logarithmic time axis."""
    known = {name: latency for name, latency in modes.items() if latency.histogram}
    if not known:
        return el("p", "No record was followed to its prediction.")
    low = min(latency.histogram[0].from_ms for latency in known.values())
    high = max(latency.histogram[-1].to_ms for latency in known.values())
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    across = _scale(powers[0], powers[-1], _LEFT, _WIDTH - _RIGHT)

    def x(taken_ms: float) -> float:
        return across(math.log10(taken_ms))

    height = _PANEL * len(known) + 22
    drawn = [_line(across(power), 22, across(power), height - 20, "grid") for power in powers]
    drawn += [_word(across(power), height - 5, duration(10.0**power, MS)) for power in powers]
    for panel, (name, latency) in enumerate(known.items(), 1):
        drawn += _histogram(name, latency, x, floor=_PANEL * panel)
    return _svg(height, "Histogram of the latencies of each mode", drawn)


def _histogram(name: str, latency: Latency, x: Scale, floor: float) -> Iterator[Element]:
    figures = f"p50 {duration(latency.p50_ms, MS)} · p99 {duration(latency.p99_ms, MS)}"
    yield _word(_LEFT, floor - _BARS - 12, f"{name}: {figures}", "name")
    most = max(bucket.records for bucket in latency.histogram)
    for bucket in latency.histogram:
        left, tall = x(bucket.from_ms), _BARS * bucket.records / most
        span = f"{duration(bucket.from_ms, MS)} to {duration(bucket.to_ms, MS)}"
        yield el(
            "rect",
            el("title", f"{span}: {bucket.records:,} records"),
            x=left + 0.5,
            y=floor - tall,
            width=max(x(bucket.to_ms) - left - 1, 1),
            height=tall,
            class_=f"bar {name}",
        )
    yield _line(_LEFT, floor, _WIDTH - _RIGHT, floor, "axis")
    yield _word(_LEFT - 6, floor - _BARS + 4, f"{most:,}", "end")
    yield _word(_LEFT - 6, floor + 4, "0", "end")


def reliability(bins: Sequence[ReliabilityBin]) -> Element:
    """Observed frequency against predicted probability; a calibrated model is diagonal."""
    x = _scale(0, 1, _LEFT, _WIDTH - _RIGHT)
    y = _scale(0, 1, _SQUARE - 34, 12)
    drawn = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawn += [
            _line(x(share), y(0), x(share), y(1), "grid"),
            _line(x(0), y(share), x(1), y(share), "grid"),
            _word(x(share), y(0) + 15, f"{share:.0%}"),
            _word(x(0) - 6, y(share) + 4, f"{share:.0%}", "end"),
        ]
    drawn.append(_line(x(0), y(0), x(1), y(1), "quantile"))
    places = [(x(each.mean_probability), y(each.frequency)) for each in bins]
    drawn.append(
        el("polyline", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in places), class_="path")
    )
    for (across, up), each in zip(places, bins, strict=True):
        text = f"{each.mean_probability:.1%} predicted, {each.frequency:.1%} observed"
        title = el("title", f"{text}, {each.rows:,} rows")
        drawn.append(el("circle", title, cx=across, cy=up, r=4.5, class_="dot"))
    drawn.append(_word((x(0) + x(1)) / 2, _SQUARE - 4, "predicted probability"))
    return _svg(_SQUARE, "Reliability: observed frequency against predicted probability", drawn)


def ranking(rows: Iterable[ScoreRow], base_rate: float, chosen: str) -> Element:
    """PR-AUC of each candidate with its interval, and the base rate that guessing reaches."""
    known = [row for row in rows if not math.isnan(row.pr_auc.estimate)]
    fifths = max(1, math.ceil(5 * max(base_rate, *(row.pr_auc.high for row in known), 0)))
    x = _scale(0, fifths / 5, _NAMES, _WIDTH - 2.5 * _RIGHT)
    height = _ROW * len(known) + 40
    drawn = []
    for fifth in range(fifths + 1):
        drawn.append(_line(x(fifth / 5), 4, x(fifth / 5), height - 36, "grid"))
        drawn.append(_word(x(fifth / 5), height - 20, f"{fifth / 5:g}"))
    drawn.append(_line(x(base_rate), 4, x(base_rate), height - 36, "quantile"))
    drawn.append(_word(x(base_rate), height - 4, f"base rate {figure(base_rate)}"))
    for place, row in enumerate(known):
        middle, auc = _ROW * (place + 0.5) + 4, row.pr_auc
        drawn += [
            _word(_NAMES - 10, middle + 4, row.name, "end name" if row.name == chosen else "end"),
            _line(x(auc.low), middle, x(auc.high), middle, "interval"),
            el(
                "circle",
                el("title", f"{row.name}: {interval(auc)}"),
                cx=x(auc.estimate),
                cy=middle,
                r=3.5,
                class_="dot",
            ),
            _word(x(auc.high) + 8, middle + 4, estimate(auc), "start"),
        ]
    return _svg(height, "PR-AUC of each candidate with its interval", drawn)


def _scale(low: float, high: float, start: float, end: float) -> Scale:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _svg(height: float, label: str, drawn: Iterable[Element]) -> Element:
    """An SVG element; `label` is its text alternative for screen readers."""
    view = f"0 0 {_WIDTH:g} {height:g}"
    return el("svg", *drawn, viewBox=view, role="img", aria_label=label, class_="chart")


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Element:
    return el("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _word(x: float, y: float, text: str, kind: str = "middle") -> Element:
    return el("text", text, x=x, y=y, class_=kind)
