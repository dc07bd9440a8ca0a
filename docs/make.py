"""Makes what follows from the code in the documentation; `--check` only says what is stale.

`docs/features.md`, `docs/hourly-features.md`, `docs/metrics.md`, `docs/python.md` and the JSON
schemas in `docs/json/` are made whole. In other pages what stands between `<!-- NAME:begin -->` and
`<!-- NAME:end -->` is made: options and keys of each verb in `docs/cli.md`, the settings in
`docs/settings.md`, the bounds of `docs/bounds.toml` in `docs/security.md`, the figures in
`README.md`.
"""

import enum
import functools
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import typer

import barograph
from barograph import telemetry
from barograph.app.cli import app
from barograph.app.cli.verbs import name_of
from barograph.app.contract import ANSWERS, schema_of
from barograph.app.settings import Settings
from barograph.feature_set.catalogue import (
    FEATURE_SET,
    FEATURE_SET_HASH,
    FEATURES,
    LONGEST_WINDOW_S,
    Feature,
)
from barograph.feature_set.hourly import catalogue as hourly
from barograph.feature_set.hourly.catalogue import HourlyFeature
from barograph.feature_set.hourly.windows import LEAST_PERCENT, LENIENT_FROM_H
from barograph.feed.summary import Summary
from barograph.figures import three_digits
from barograph.files.disk import write_whole
from barograph.types import Interval

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
EXAMPLE = ROOT / "docs" / "barograph.toml"
BOUNDS = ROOT / "docs" / "bounds.toml"

SCHEMAS = ROOT / "docs" / "json"

_WORDS = {
    int: "integer",
    float: "number",
    str: "string",
    bool: "true or false",
    bytes: "string (base64)",
    Any: "any value",
    NoneType: "null",
    msgspec.UnsetType: "absent",
}


@functools.cache
def verbs() -> dict[str, Any]:
    """Every verb of the command line by its full name."""
    commands: dict[str, Any] = {}

    def walk(group: Any, prefix: str) -> None:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(command, f"{prefix}{name} ")
            else:
                commands[prefix + name] = command

    walk(typer.main.get_command(app), "")
    return commands


def keys(answer: Any, of: str = "") -> Iterator[tuple[str, str]]:
    """(key, type) of everything in an answer; `[]` steps into a list, `<…>` is any key."""
    if isinstance(answer, Mapping):
        for name, part in answer.items():
            if _is_struct(part):
                yield from keys(part, f"{of}{name}.")
            else:
                yield from _keys_of(of + name, part)
        return
    if isinstance(answer, tuple):
        for one in answer:
            yield from keys(one, of)
        return
    for name, kind in get_type_hints(answer).items():
        yield from _keys_of(of + name, kind)


def _keys_of(place: str, kind: Any) -> Iterator[tuple[str, str]]:
    for verb, answer in ANSWERS.items():
        several = isinstance(answer, tuple) and kind in answer
        if kind is answer or several or (verb == "replay" and kind is Summary):
            part = " at `feed`" if verb == "replay" else ""
            yield place, f"the answer of `barograph {verb}`{part}"
            return
    inner, step = _struct_in(kind)
    if inner is None:
        yield place, _words(kind)
    elif inner is Interval:
        yield place + step, "interval"
    else:
        for nothing in (NoneType, msgspec.UnsetType):
            if nothing in get_args(kind):
                yield place, f"object or {_WORDS[nothing]}"
        yield from keys(inner, f"{place}{step}.")


def _struct_in(kind: Any) -> tuple[Any, str]:
    """The struct that a type holds, and how a key steps into it; (None, "") without one."""
    if _is_struct(kind):
        return kind, ""
    steps = {list: "[]", tuple: "[]", dict: ".<name>", Union: "", UnionType: ""}
    for part in get_args(kind) if get_origin(kind) in steps else ():
        inner, step = _struct_in(part)
        if inner is not None:
            return inner, steps[get_origin(kind)] + step
    return None, ""


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _words(kind: Any) -> str:
    parts = [part for part in get_args(kind) if part is not Ellipsis]
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in parts)
    if origin in (list, tuple):
        return f"list of {_plural(parts[0])}"
    if origin is dict:
        return f"object of {_plural(parts[1])}"
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if kind in _WORDS:
        return _WORDS[kind]
    return "string" if isinstance(kind, type) and issubclass(kind, str) else str(kind)


def _plural(kind: Any) -> str:
    if get_origin(kind) is None and kind in (int, float, str):
        return _WORDS[kind] + "s"
    return _words(kind)


def verb_reference(verb: str) -> str:
    """Usage, options and JSON keys of a verb."""
    command = verbs()[verb]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join(
        [f"barograph {verb}"]
        + [("{}" if p.required else "[{}]").format(name_of(p)) for p in arguments]
        + ["[OPTIONS]"]
    )
    lines = ["", f"    {usage}", "", "| option | default | |", "|---|---|---|"]
    lines += [
        f"| `{name_of(p) if p in arguments else p.opts[-1]}` | {_default(p)} | {p.help} |"
        for p in command.params
        if p.name not in {"verbose", "quiet"}  # which all verbs have
    ]
    answers = ANSWERS.get(verb, ())
    for answer in answers if isinstance(answers, tuple) else (answers,):
        lines += ["", *_meanings(answer), "", "| key of the JSON | type |", "|---|---|"]
        lines += [f"| `{key}` | {kind} |" for key, kind in keys(answer)]
    return "\n".join([*lines, "", ""])


def _meanings(answer: Any) -> list[str]:
    """What each struct of an answer says of itself, the outermost first."""
    if isinstance(answer, Mapping):
        first: dict[Any, str] = {}
        for name, part in answer.items():
            struct, _ = _struct_in(part)
            if struct is not None:
                first.setdefault(struct, name)
        return [f"- `{name}`: {_said(struct)}" for struct, name in first.items()]
    outer, _ = _struct_in(answer)
    lines = [_said(outer)]
    for name, kind in get_type_hints(outer).items():
        inner, _ = _struct_in(kind)
        if inner not in (None, Interval, Summary, *ANSWERS.values()):
            lines += ["", f"`{name}`: {_said(inner)}"]
    return lines


def _said(struct: Any) -> str:
    return " ".join((inspect.getdoc(struct) or "").split())


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if getattr(parameter, "is_flag", False):
        if not parameter.secondary_opts:
            return "off"
        return f"on; `{parameter.secondary_opts[0]}`" if parameter.default else "off"
    return f"`{parameter.default}`" if parameter.default not in (None, "") else ""


def features_page() -> str:
    """The catalogue as a page."""
    lines = [
        "# Features",
        "",
        "Made from the catalogue (`src/barograph/feature_set/catalogue.py`) by `make docs`.",
        "",
        f"Feature set version {FEATURE_SET}, hash `{FEATURE_SET_HASH}`, {len(FEATURES)} features.",
        "Each is one number per product at a closed second t. It is missing, with one of the",
        "[reasons](vocabulary.md#reasons), until its warm-up of complete seconds has passed since",
        "the last hole; of a feature over holes, as many known seconds in its window. No value",
        f"depends on anything older than {LONGEST_WINDOW_S} seconds.",
        "",
        "m is the mid of the closing quote and r a one-second log return of it. A window of w",
        "seconds holds (t − w, t]. Order and names are those of a row's `values`; a changed value",
        "is a new feature set.",
        "",
        "| # | name | formula | unit | warm-up (s) | source |",
        "|---:|---|---|---|---:|---|",
    ]
    lines += [_feature_line(place, each, each.warmup_s) for place, each in enumerate(FEATURES)]
    return "\n".join([*lines, ""])


def _feature_line(place: int, feature: Feature | HourlyFeature, past: int) -> str:
    formula = feature.formula.replace("|", "\\|")
    return (
        f"| {place} | `{feature.name}` | {formula} | {feature.unit} | {past} | {feature.source} |"
    )


_HOURLY_TEXT = """\
# Hourly features

Made from the catalogue (`src/barograph/feature_set/hourly/catalogue.py`) by `make docs`.

Feature set version {version}, hash `{hash}`, {count} features.
Each is one number per product and hour, known when the hour is over: a candle is stamped with its
open, and nothing of it is used before its close. A candle of an earlier hour that was missing, or
a newer version of one, changes the rows that follow it and none before.

O, H, L and C are the logarithms of an hour's prices. g = (H − L)²/2 − (2 ln 2 − 1)(C − O)² is its
Garman–Klass variance and ℓ = ln max(sqrt(g), {floor:g}). r is its return from the close before, or
from its own open where the hour before is unknown, had no trade or closed more than a factor e
away; P is the sum of the r so far, the path of the log close. An hour without a trade is known:
nothing moved in it. The *target* is the hour that follows.

A window of n hours ends with the row's own. It has a value when all its hours are known, from
{lenient} hours on when {percent} % of them are; means are over the known ones. A lag needs its
hour, and a season of fewer than seven same hours each of them; of seven or more one may be missing.
Else the value is missing with one of the [reasons](vocabulary.md#reasons): `WARMUP` until so many
hours have passed since the first, `STALE` until so many have passed since a silence of {longest}
hours, `GAP` for other holes. No value depends on anything older than its *span* before the
end of its hour. Order and names are those of a row's `values`; a changed value is a new feature
set.

| # | name | formula | unit | span (h) | source |
|---:|---|---|---|---:|---|
"""


def hourly_features_page() -> str:
    """The catalogue of hourly features as a page."""
    text = _HOURLY_TEXT.format(
        version=hourly.FEATURE_SET,
        hash=hourly.FEATURE_SET_HASH,
        count=len(hourly.FEATURES),
        floor=hourly.LOG_FLOOR_VOL,
        lenient=LENIENT_FROM_H,
        percent=LEAST_PERCENT,
        longest=hourly.LONGEST_WINDOW_H,
    )
    lines = [_feature_line(place, each, each.span_h) for place, each in enumerate(hourly.FEATURES)]
    return text + "\n".join([*lines, ""])


def metrics_page() -> str:
    """The page of all metrics, from the registry."""
    lines = [
        "# Metrics",
        "",
        "Made from the registry (`src/barograph/telemetry.py`) by `make docs`.",
        "",
        "A process shows those that it counts: `--metrics-port` gives it an endpoint on 127.0.0.1.",
        "Counters begin with 0 when it starts. A metric keeps",
        f"{telemetry.MAX_SERIES} combinations of label values; further ones count under",
        f"`{telemetry.OTHER}`, and are not shown where it is a gauge. Histograms of times have the",
        f"bounds {', '.join(f'{bound:g}' for bound in telemetry.LATENCY_BUCKETS_S)} seconds.",
        "",
        "| metric | kind | labels | unit | |",
        "|---|---|---|---|---|",
    ]
    for each in telemetry.DESCRIPTIONS:
        labels = ", ".join(f"`{label}`" for label in each.labels)
        lines.append(f"| `{each.name}` | {each.kind} | {labels} | {each.unit} | {each.meaning} |")
    lines += ["", "Of the process itself, on Linux:", "", "| metric | |", "|---|---|"]
    for metric in telemetry.PROCESS.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        lines.append(f"| `{name}` | {metric.documentation} |")
    return "\n".join([*lines, ""])


PYTHON = {
    "barograph": tuple(
        name for name in barograph.__all__ if not inspect.ismodule(getattr(barograph, name))
    ),
    "barograph.library.candidates": tuple(barograph.candidates.__all__),
    "barograph.library.plot": ("calibration", "precision_recall", "timeline"),
    "barograph.cases": (
        "tabular_case",
        "Contract",
        "Stream",
        "series_case",
        "LiveSeries",
        "ColdStart",
        "Case",
        "Table",
        "Target",
    ),
    "barograph.learning.candidates": ("logistic", "lightgbm", "xgboost", "Boosting"),
    "barograph.log": ("open_log",),
    "barograph.types": (
        "Message",
        "Record",
        "FeatureRow",
        "Outcome",
        "Reason",
        "DeadLetter",
        "Fault",
    ),
    "barograph.simulated.market": ("SimulatedMarket",),
    "barograph.machine": ("Machine",),
}
"""Module → the names of it that stay as they are within a major version."""

_SHOWN = {
    "barograph.library.candidates": "barograph.candidates",
    "barograph.library.plot": "barograph.plot",
    "barograph.learning.candidates": "barograph.cases.candidates",
}


def python_page() -> str:
    """The names that programs may import, with their signatures and docstrings."""
    lines = [
        "# Python",
        "",
        "Made from the code by `make docs`.",
        "",
        "What a program of your own may import: [a notebook](notebooks.md) and",
        "[a case](your-own-case.md) need no more. These names stay as they are within a major",
        "version; everything else is the inside of the program, and may move or change with any",
        "version.",
        "`import barograph` reads no file and changes no environment",
        "([settings](settings.md#in-its-own-process)). What trains is imported on first use.",
        "",
        "In the examples `bg` is `barograph`, `np` NumPy and `pl` Polars. `market.ndjson` is a",
        "recording of two hours, `X` are its features and `y` their labels; `H` is a home that",
        "heard it and has a champion. Each example is run by a test. Of shapes, n is the number",
        "of rows and f that of features.",
    ]
    for module, names in PYTHON.items():
        shown = _SHOWN.get(module, module)
        lines += ["", f"## {shown}"]
        for name in names:
            lines += ["", f"### {name}", "", *_python_lines(getattr(import_module(module), name))]
    return "\n".join([*lines, ""])


def _python_lines(thing: Any) -> Iterator[str]:
    """Signature and docstring of a class or function; the members of an enumeration by name."""
    yield "```python"
    if isinstance(thing, type) and issubclass(thing, enum.Enum):
        yield f"{thing.__name__}: {', '.join(thing.__members__)}"
    else:
        yield from _signature(thing)
    yield "```"
    yield ""
    yield from _shown_docstring(thing)
    if getattr(thing, "__module__", "").startswith("barograph.library."):
        yield from _methods(thing)


def _shown_docstring(thing: Any) -> Iterator[str]:
    """The lines of a docstring, its examples between fences."""
    fenced = False
    for line in (inspect.getdoc(thing) or "").splitlines():
        if line.startswith(">>> ") and not fenced:
            yield "```pycon"
            fenced = True
        if fenced and not line:
            yield "```"
            fenced = False
        yield line
    if fenced:
        yield "```"


def _methods(kind: Any) -> Iterator[str]:
    """The public methods and properties of a class, each with signature and docstring."""
    for name in sorted(dir(kind) if isinstance(kind, type) else ()):
        member = inspect.getattr_static(kind, name)
        if name.startswith("_"):
            continue
        if inspect.isfunction(member):
            call = "\n".join(_signature(member)).replace("(\n    self,\n)", "()")
            call = call.replace("\n    self,", "", 1)
        elif isinstance(member, property | functools.cached_property):
            member = member.fget if isinstance(member, property) else member.func
            answer = inspect.signature(member).return_annotation
            call = f"{name}: {_plain(inspect.formatannotation(answer))}"
        else:
            continue
        yield from ("", f"#### {kind.__name__}.{name}", "", "```python", *call.splitlines(), "```")
        yield from ("", *_shown_docstring(member))


def _signature(thing: Any) -> Iterator[str]:
    """A call with one line for each argument; a protocol by its methods."""
    if getattr(thing, "_is_protocol", False):
        yield f"class {thing.__name__}(Protocol)"
        for name, method in vars(thing).items():
            if inspect.isfunction(method) and not name.startswith("_"):
                yield f"    {name}{_plain(str(inspect.signature(method)))}"
        return
    parameters = inspect.signature(thing).parameters.values()
    if isinstance(thing, type) and "Made by " in (inspect.getdoc(thing) or ""):
        yield f"class {thing.__name__}"
        return
    yield f"{thing.__name__}("
    by_name = False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not by_name and not _is_struct(thing):
            by_name = True
            yield "    *,"
        yield f"    {_plain(str(each))},"
    answer = inspect.signature(thing).return_annotation
    named = not isinstance(thing, type) and answer is not inspect.Signature.empty
    yield f") -> {_plain(inspect.formatannotation(answer))}" if named else ")"


def _is_struct(thing: Any) -> bool:
    """Whether all of its fields are given by name, which is said once for the page."""
    return isinstance(thing, type) and issubclass(thing, msgspec.Struct)


def _plain(signature: str) -> str:
    """Annotations without modules and bounds, and defaults without addresses in memory."""
    short = re.sub(r"\b(?:\w+\.)+(?=[A-Za-z_])", "", signature)
    short = re.sub(r"Annotated\[(\w+), Meta\([^)]*\)\]", r"\1", short)
    short = re.sub(r"Optional\[(\w+)\]", r"\1 | None", short)
    short = re.sub(r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+)\]\]", r"ndarray[\1]", short)
    return re.sub(r"<(?:function|class) '?([^ >']+)[^>]*>", r"\1", short)


def settings_table() -> str:
    """Every setting with its default from the class and its meaning from the example file."""
    meanings: dict[str, str] = {}
    words: list[str] = []
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            words.append(line.removeprefix("#").strip())
        elif "=" in line:
            meanings[line.split("=")[0].strip()] = " ".join(words)
            words = []
        else:
            words = []
    lines = ["", "| key | environment | default | allowed | |", "|---|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        bounds = " ".join(_bound(rule) for rule in field.metadata)
        lines.append(
            f"| `{name}` | `BAROGRAPH_{name.upper()}` | `{field.default}` | {bounds} "
            f"| {meanings.get(name, '')} |"
        )
    return "\n".join([*lines, "", ""])


def _bound(rule: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return " ".join(f"{sign} {getattr(rule, k)}" for k, sign in signs.items() if hasattr(rule, k))


def bounds_table() -> str:
    """Every bound of `docs/bounds.toml` with its limits from the code."""
    lines = ["", "| buffer | bound | then | shown by |", "|---|---:|---|---|"]
    for bound in tomllib.loads(BOUNDS.read_text(encoding="utf-8"))["bound"]:
        limits = " and ".join(_limit(place, bound["unit"]) for place in bound["limit"])
        shown = _counter(bound["counter"]) if "counter" in bound else "an error"
        lines.append(f"| {bound['what']} | {limits} | {bound['policy']} | {shown} |")
    return "\n".join([*lines, "", ""])


def _counter(place: str) -> str:
    module, _, name = place.partition(":")
    struct, _, field = name.partition(".")
    if field not in getattr(import_module(f"barograph.{module}"), struct).__struct_fields__:
        sys.exit(f"{BOUNDS.name}: there is no {place}")
    return f"`{name}`"


def _limit(place: str, unit: str) -> str:
    module, _, name = place.partition(":")
    limit: int = getattr(import_module(module), name)
    if unit != "bytes":
        return f"{limit:,} {unit}"
    for size, word in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if limit % size == 0:
            return f"{limit // size:,} {word}"
    return f"{limit:,} bytes"


def figures_table() -> str:
    """The benchmark's results, or that there are none yet."""
    if not RESULTS.exists():
        return "\nNot measured yet: `make bench` writes `benchmarks/results.json`.\n\n"
    lines = ["", "| what | unit | ours | peer | ratio | goal | met |"]
    lines.append("|---|---|---:|---:|---:|---|---|")
    for row in json.loads(RESULTS.read_text(encoding="utf-8")):
        cells = [_figure(row[name]) for name in ("ours", "peer", "ratio", "goal")]
        met = {True: "yes", False: "no"}.get(row["met"], "")
        lines.append(f"| {row['name']} | {row['unit']} | {' | '.join(cells)} | {met} |")
    return "\n".join([*lines, "", ""])


def _figure(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return three_digits(value)
    return str(value)


def pages() -> dict[Path, str]:
    """Every page with made parts, as it should be."""
    cli = {verb.replace(" ", "-"): verb_reference(verb) for verb in verbs()}
    return {
        ROOT / "docs" / "features.md": features_page(),
        ROOT / "docs" / "hourly-features.md": hourly_features_page(),
        ROOT / "docs" / "metrics.md": metrics_page(),
        ROOT / "docs" / "python.md": python_page(),
        **{
            SCHEMAS / f"{verb.replace(' ', '-')}.json": json.dumps(schema_of(verb), indent=1) + "\n"
            for verb in ANSWERS
        },
        **{
            path: _with_parts(path, parts)
            for path, parts in (
                (ROOT / "docs" / "cli.md", cli),
                (ROOT / "docs" / "settings.md", {"settings": settings_table()}),
                (ROOT / "docs" / "security.md", {"bounds": bounds_table()}),
                (ROOT / "README.md", {"figures": figures_table()}),
            )
        },
    }


def _with_parts(path: Path, parts: Mapping[str, str]) -> str:
    text = path.read_text(encoding="utf-8")
    for name, part in parts.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            sys.exit(f"{path.name} needs {begin} and {end} once each")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{part}{end}{rest.split(end)[1]}"
    return text


def main(arguments: list[str]) -> int:
    """Write what is stale; with `--check` only name it, and return 1 when there is any."""
    stale = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if arguments == ["--check"]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run `make docs`")
        return 1 if stale else 0
    SCHEMAS.mkdir(exist_ok=True)
    for path, text in pages().items():
        if path in stale:
            write_whole(path, text.encode())
            print(f"{path.relative_to(ROOT)} made anew")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
