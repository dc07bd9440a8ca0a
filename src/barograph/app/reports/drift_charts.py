"""Charts of a drift report, as SVG elements styled by the page's CSS classes."""

import math
from collections.abc import Sequence
from itertools import pairwise

from barograph.app.reports.markup import Element, el
from barograph.times import minute_of
from barograph.types import NS_PER_S

_WIDE, _NARROW, _LEFT, _RIGHT = 860.0, 420.0, 40.0, 12.0
_HEIGHT, _TOP, _BOTTOM = 200.0, 14.0, 26.0
_BINS_WIDTH, _BINS_HEIGHT = 420.0, 130.0
_MOST_STEPS = 820
"""Steps of a line; each is drawn with its highest value, so that no alarm disappears."""


def strength(time_ns: Sequence[int], strengths: Sequence[float]) -> list[Element]:
    """The strength of each window over time, with the limit at 1; a hole breaks the line.

    For a wide page and for a narrow one, of which the page shows one.
    """
    if not time_ns:
        return [el("p", "No window could be tested.")]
    return [
        _strength(time_ns, strengths, width, kind)
        for width, kind in ((_WIDE, "wide"), (_NARROW, "narrow"))
    ]


def _strength(
    time_ns: Sequence[int], strengths: Sequence[float], width: float, kind: str
) -> Element:
    times, values = _thinned(time_ns, strengths)
    most = max(1.25, *values)
    first, last = times[0], max(times[-1], times[0] + 1)

    def x(at_ns: int) -> float:
        return _LEFT + (at_ns - first) / (last - first) * (width - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / most * (_HEIGHT - _BOTTOM - _TOP)

    drawn = []
    for value in _levels(most):
        drawn += [
            _line(_LEFT, y(value), width - _RIGHT, y(value), "grid"),
            _word(_LEFT - 6, y(value) + 4, f"{value:g}", "end"),
        ]
    drawn.append(_line(_LEFT, y(1), width - _RIGHT, y(1), "limit"))
    drawn.append(_word(width - _RIGHT, y(1) - 5, "limit", "end"))
    usual_ns = sorted(b - a for a, b in pairwise(times))
    hole_ns = 3 * usual_ns[len(usual_ns) // 2] if usual_ns else NS_PER_S
    path, before = "", None
    for at_ns, value in zip(times, values, strict=True):
        joins = before is not None and at_ns - before <= hole_ns
        path += f"{'L' if joins else 'M'}{x(at_ns):.1f} {y(value):.1f}"
        before = at_ns
    drawn.append(el("path", d=path, class_="path"))
    drawn += [
        el("circle", el("title", f"{minute_of(at)}: {value:.2f}"), cx=x(at), cy=y(value), r=3,
           class_="alarmed")
        for at, value in zip(times, values, strict=True)
        if value >= 1
    ]  # fmt: skip
    drawn += [
        _line(_LEFT, y(0), width - _RIGHT, y(0), "axis"),
        _word(_LEFT, _HEIGHT - 6, minute_of(times[0]), "start"),
        _word(width - _RIGHT, _HEIGHT - 6, minute_of(times[-1]), "end"),
    ]
    return _svg(width, _HEIGHT, "Strength of the strongest test over time", drawn, f"chart {kind}")


def shares(before: Sequence[float], after: Sequence[float]) -> Element:
    """Shares of the reference's bins in both spans, side by side."""
    most = max(0.2, *before, *after)
    width = (_BINS_WIDTH - _LEFT - _RIGHT) / len(before)
    floor = _BINS_HEIGHT - 20
    drawn = []
    for level in (0.0, most / 2, most):
        y = floor - level / most * (floor - 10)
        drawn += [
            _line(_LEFT, y, _BINS_WIDTH - _RIGHT, y, "grid"),
            _word(_LEFT - 6, y + 4, f"{level:.0%}", "end"),
        ]
    for place, pair in enumerate(zip(before, after, strict=True)):
        for side, (share, kind) in enumerate(zip(pair, ("stream", "batch"), strict=True)):
            tall = share / most * (floor - 10)
            drawn.append(
                el(
                    "rect",
                    el("title", f"bin {place + 1}, {('before', 'after')[side]}: {share:.1%}"),
                    x=_LEFT + place * width + 2 + side * (width - 4) / 2,
                    y=floor - tall,
                    width=max((width - 4) / 2 - 1, 1),
                    height=tall,
                    class_=f"bar {kind}",
                )
            )
    drawn.append(_line(_LEFT, floor, _BINS_WIDTH - _RIGHT, floor, "axis"))
    drawn.append(_word(_LEFT, _BINS_HEIGHT - 4, "lowest values of the reference", "start"))
    drawn.append(_word(_BINS_WIDTH - _RIGHT, _BINS_HEIGHT - 4, "highest", "end"))
    return _svg(_BINS_WIDTH, _BINS_HEIGHT, "Shares of the reference's bins in both spans", drawn)


def _thinned(time_ns: Sequence[int], strengths: Sequence[float]) -> tuple[list[int], list[float]]:
    some = math.ceil(len(time_ns) / _MOST_STEPS)
    times, values = [], []
    for start in range(0, len(time_ns), some):
        part = strengths[start : start + some]
        highest = max(range(len(part)), key=part.__getitem__)
        times.append(time_ns[start + highest])
        values.append(part[highest])
    return times, values


def _levels(most: float) -> list[float]:
    step = 10 ** math.floor(math.log10(most))
    step = next(each for each in (step / 2, step, 2 * step, 5 * step) if most / each <= 5)
    return [step * place for place in range(math.floor(most / step) + 1)]


def _svg(
    width: float, height: float, label: str, drawn: Sequence[Element], kind: str = "chart"
) -> Element:
    return el(
        "svg", *drawn, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label,
        class_=kind,
    )  # fmt: skip


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Element:
    return el("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _word(x: float, y: float, text: str, kind: str = "") -> Element:
    return el("text", text, x=x, y=y, class_=kind)
