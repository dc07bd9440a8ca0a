"""Draws the diagrams of the documentation, `docs/pictures/*.svg`; `--check` only names stale ones.

A drawing names what its strokes and letters are for (`frame`, `accent`, `quiet`), and no colour. A
style for both colour schemes stands before them, which the site replaces with that of its theme.
"""

import sys
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from math import hypot
from pathlib import Path

PICTURES = Path(__file__).with_name("pictures")

_STYLE = """\
<style>
text{font:13px system-ui,sans-serif;fill:#1f2328}.small{font-size:11px}.strong{font-weight:600}
.quiet{fill:#59636e}.frame{fill:#f6f8fa;stroke:#59636e}.accent{fill:#d7efe9;stroke:#0b7a66}
.warning{fill:#fbe3d5;stroke:#b2480b}.stroke{fill:none;stroke:#59636e;stroke-width:1.4}
.dashed{stroke-dasharray:5 4}.tip{fill:#59636e}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.tip{fill:#9198a1}
.frame{fill:#151b23;stroke:#9198a1}.accent{fill:#0f3a32;stroke:#3fb99d}
.warning{fill:#4a2410;stroke:#e08a54}.stroke{stroke:#9198a1}}
</style>"""

Point = tuple[float, float]


@dataclass
class Drawing:
    """A picture of `width` × `height` pixels, drawn from top left."""

    width: int
    height: int
    parts: list[str] = field(default_factory=list)

    def text(self, at: Point, words: str, *, kind: str = "", anchor: str = "middle") -> None:
        """Lines of text, centred (or begun, with `start`) at a point of their first baseline."""
        x, y = at
        for number, line in enumerate(words.split("\n")):
            self.parts.append(
                f'<text class="{kind}" x="{x:g}" y="{y + 16 * number:g}" '
                f'text-anchor="{anchor}">{escape(line)}</text>'
            )

    def box(self, at: Point, size: Point, words: str, *, kind: str = "frame") -> None:
        """A rectangle with its words in the middle; `at` is its top left corner."""
        (x, y), (width, height) = at, size
        self.parts.append(
            f'<rect class="{kind}" x="{x:g}" y="{y:g}" '
            f'width="{width:g}" height="{height:g}" rx="5"/>'
        )
        first = y + height / 2 + 4.5 - 8 * words.count("\n")
        self.text((x + width / 2, first), words)

    def line(self, *points: Point, kind: str = "") -> None:
        """A stroke through points."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<polyline class="stroke {kind}" points="{path}"/>')

    def arrow(self, *points: Point, kind: str = "") -> None:
        """A stroke through points that ends in a tip."""
        self.line(*points, kind=kind)
        (x0, y0), (x, y) = points[-2:]
        length = hypot(x - x0, y - y0)
        along, across = (x - x0) / length, (y - y0) / length
        corners = [(x, y)] + [
            (x - 9 * along - side * across, y - 9 * across + side * along) for side in (4.5, -4.5)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        self.parts.append(f'<polygon class="tip" points="{path}"/>')

    def svg(self) -> str:
        """The file."""
        head = (
            '<svg xmlns="http://www.w3.org/2000/svg" '
            f'viewBox="-2 0 {self.width + 4} {self.height}" width="{self.width}">'
        )
        return "\n".join([head, _STYLE, *self.parts, "</svg>", ""])


def flow() -> Drawing:
    """From frames to predictions, and from the archive to a champion."""
    of = Drawing(900, 260)
    top, low = 36.0, 206.0
    size = (120.0, 44.0)
    columns = (0.0, 190.0, 370.0, 570.0, 780.0)
    names = ("exchange or\nrecording", "feed", "featurizer", "scorer", "page, API,\nalerts")
    for x, name in zip(columns, names, strict=True):
        of.box((x, top), size, name, kind="accent" if name == "scorer" else "frame")
    labels = ("frames", "ticks.raw", "ticks.features", "ticks.predictions")
    for start, end, label in zip(columns, columns[1:], labels, strict=False):
        of.arrow((start + 120, top + 22), (end, top + 22))
        of.text(((start + 120 + end) / 2, top - 12), label, kind="quiet small")
    lower = (190.0, 345.0, 490.0, 635.0, 780.0)
    stages = ("archive", "dataset", "train", "gate", "registry")
    for x, name in zip(lower, stages, strict=True):
        of.box((x, low), size, name, kind="accent" if name == "gate" else "frame")
    for start, end in pairwise(lower):
        of.arrow((start + 120, low + 22), (end, low + 22))
    of.arrow((225, top + 44), (225, low))
    of.text((217, 146), "frames,\nverbatim", kind="quiet small", anchor="end")
    of.arrow((840, low), (840, 172), (660, 172), (660, top + 44))
    of.text((750, 166), "champion", kind="quiet small")
    of.box((355, 120), (150, 36), "ticks.deadletter", kind="warning")
    of.arrow((280, top + 44), (280, 138), (355, 138), kind="dashed")
    of.arrow((430, top + 44), (430, 120), kind="dashed")
    of.arrow((600, top + 44), (600, 138), (505, 138), kind="dashed")
    of.text((438, 106), "what cannot be used", kind="quiet small", anchor="start")
    return of


def seconds() -> Drawing:
    """Ticks, the seconds that they close, a quiet second, a gap, and when a window has a value."""
    of = Drawing(900, 232)
    left, wide, names = 130.0, 76.0, range(10)
    of.text((0, 24), "second", kind="quiet", anchor="start")
    of.text((0, 62), "ticks", kind="quiet", anchor="start")
    of.text((0, 112), "row", kind="quiet", anchor="start")
    of.text((0, 164), "window of 3 s", kind="quiet", anchor="start")
    ticks = {0: (20, 50), 1: (12, 36, 64), 3: (30,), 6: (22, 58), 7: (40,), 8: (14, 44), 9: (30,)}
    rows = {0: "row", 1: "row", 2: "quiet", 3: "row", 6: "row", 7: "row", 8: "row"}
    values = {2: "value", 3: "value", 8: "value"}
    for second in names:
        x = left + second * wide
        of.text((x + wide / 2, 24), str(second), kind="quiet small")
        of.line((x, 34), (x, 180), kind="dashed")
        for offset in ticks.get(second, ()):
            of.parts.append(f'<circle class="accent" cx="{x + offset:g}" cy="58" r="4"/>')
        if second in rows:
            of.box((x + 6, 90), (wide - 12, 34), rows[second])
            name = values.get(second, "missing")
            kind = "accent" if second in values else "warning"
            of.box((x + 6, 142), (wide - 12, 34), name, kind=kind)
    of.box((left + 4 * wide + 4, 44), (2 * wide - 8, 80), "gap", kind="warning")
    of.box((left + 4 * wide + 4, 142), (2 * wide - 8, 34), "no row", kind="warning")
    of.text((left + 9 * wide + 38, 112), "open", kind="quiet small")
    of.text(
        (0, 206),
        "A second closes when a record with a later second comes. A quiet second keeps the quote "
        "of the one before.\nAfter a gap a window has a value once it lies in complete seconds.",
        kind="quiet",
        anchor="start",
    )
    return of


def split() -> Drawing:
    """Three folds of walk-forward, with purge and embargo."""
    of = Drawing(900, 214)
    for fold in range(3):
        y = 16.0 + 46 * fold
        train = 220.0 + 170 * fold
        of.text((0, y + 22), f"fold {fold + 1}", kind="quiet", anchor="start")
        of.box((70, y), (train, 34), "training")
        of.box((70 + train, y), (34, 34), "", kind="warning")
        of.box((104 + train, y), (150, 34), "test", kind="accent")
    of.arrow((70, 158), (880, 158))
    of.text((880, 176), "time", kind="quiet small", anchor="end")
    of.box((70, 182), (20, 20), "", kind="warning")
    of.text(
        (98, 197),
        "purge and embargo: no row of training shares its horizon or its windows with a tested one",
        kind="quiet",
        anchor="start",
    )
    return of


def commit() -> Drawing:
    """What a worker does with a batch, and what a kill undoes."""
    of = Drawing(900, 220)
    of.box((0, 56), (130, 50), "poll\nrecords 8 to 11")
    of.box((180, 56), (130, 50), "machine\nreceives them")
    of.box((370, 10), (280, 142), "", kind="accent")
    of.text((510, 32), "one transaction", kind="strong")
    for number, words in enumerate(
        ("outputs", "dead letters", "checkpoint, now and then", "position: 12")
    ):
        of.text((510, 60 + 24 * number), words)
    of.box((710, 56), (130, 50), "poll\nfrom record 12")
    of.arrow((130, 81), (180, 81))
    of.arrow((310, 81), (370, 81))
    of.arrow((650, 81), (710, 81))
    of.arrow((340, 81), (340, 178), (65, 178), (65, 106), kind="dashed")
    of.text((200, 172), "killed before the commit: again from record 8", kind="quiet small")
    of.arrow((680, 81), (680, 178), (775, 178), (775, 106), kind="dashed")
    of.text((600, 200), "killed after the commit: on from record 12", kind="quiet small")
    return of


def life() -> Drawing:
    """From a training to a champion and its end."""
    of = Drawing(900, 230)
    of.box((0, 40), (120, 46), "train")
    of.box((180, 40), (120, 46), "candidate")
    of.box((370, 40), (120, 46), "gate", kind="accent")
    of.box((580, 40), (130, 46), "champion", kind="accent")
    of.box((780, 40), (120, 46), "expired", kind="warning")
    for start, end, label in (
        (120, 180, ""), (300, 370, ""), (490, 580, "all rules hold"), (710, 780, "too old"),
    ):  # fmt: skip
        of.arrow((start, 63), (end, 63))
        of.text(((start + end) / 2, 32), label, kind="quiet small")
    of.box((180, 150), (120, 46), "shadow")
    of.arrow((240, 86), (240, 150))
    of.text((248, 122), "scores live rows beside the champion", kind="quiet small", anchor="start")
    of.arrow((400, 86), (400, 104), (280, 104), (280, 86), kind="dashed")
    of.text((410, 104), "refused: stays a candidate", kind="quiet small", anchor="start")
    of.box((580, 150), (130, 46), "champion before")
    of.arrow((645, 150), (645, 86), kind="dashed")
    of.text((655, 122), "rollback", kind="quiet small", anchor="start")
    of.text((840, 112), "MODEL_EXPIRED", kind="quiet small")
    return of


DRAWINGS = {"flow": flow, "seconds": seconds, "split": split, "commit": commit, "life": life}


def files() -> dict[Path, str]:
    """Every drawing as it should be, by its file."""
    return {PICTURES / f"{name}.svg": drawn().svg() for name, drawn in DRAWINGS.items()}


def main(arguments: list[str]) -> int:
    """Draw what is stale; with `--check` only name it, and return 1 when there is any."""
    stale = [
        path
        for path, text in files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if arguments == ["--check"]:
            print(f"{path.name} is stale: run `make docs`")
        else:
            path.write_text(files()[path], encoding="utf-8")
            print(f"docs/pictures/{path.name} made anew")
    return 1 if stale and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
