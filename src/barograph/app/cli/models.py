"""Verbs on the registry's models: models list, show, history, promote, rollback."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barograph.app.cli.answers import answer, answer_json, warn, write_named
from barograph.app.cli.options import (
    MOST_HOURS,
    CaseOption,
    HomeOption,
    JsonOption,
    LogOption,
    at,
    existing_log,
    settings_of,
    settings_of_existing,
    version_number,
    with_case,
)
from barograph.cases.named import case_named

if TYPE_CHECKING:
    from barograph.app.settings import Settings
    from barograph.cases.case import Case
    from barograph.cases.live_series import LiveSeries
    from barograph.pipeline.live_scores import LiveReport
    from barograph.registry.audit import NotPromoted, Promotion
    from barograph.registry.model import Model
    from barograph.registry.registry import Registry

app = typer.Typer(help="The registry's models.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def models_list(
    home: HomeOption = None, case: CaseOption = "spikes", json: JsonOption = False
) -> None:
    """List all versions with their aliases and scores."""
    import time

    from barograph.app.terminal import model_list

    name = case_named(case).name
    versions = model_list.listed(_registry(home), name, time.time_ns())
    answer({"versions": versions}, json, lambda: model_list.table(name, case, versions))


@app.command("show")
def models_show(
    version: Annotated[
        str, typer.Argument(help="Version number, candidate or champion.")
    ] = "champion",
    home: HomeOption = None,
    log: LogOption = None,
    case: CaseOption = "spikes",
    hours: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_HOURS, help="Hours of live scores, back from the newest prediction."
        ),
    ] = 24,
    onnx: Annotated[
        Path | None, typer.Option(help="Write the model to this file, too, as it is registered.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show all facts of one version, and its live scores."""
    from barograph.app.registries import registry_of
    from barograph.app.terminal import model_page

    number = version_number(version)
    which: Any = version if number is None else number
    of, settings = case_named(case), _settings(home)
    registry = registry_of(settings)
    model = registry.load(of.name, which, None)
    if onnx is not None:
        _write_onnx(registry, model, onnx)
    standing = {
        alias: f"{of.name}/{number}"
        for alias in ("champion", "candidate")
        if (number := registry.version_of(of.name, alias)) is not None
    }
    live = None if of.live is None else _live(settings, log, of.live, model, standing, hours)
    aliases = tuple(alias for alias, label in standing.items() if label == model.label)
    answer(
        {"facts": model.facts, "live": live},
        json,
        lambda: model_page.page(
            model.label, aliases, model.facts, live, feature_set=of.feature_set
        ),
    )


@app.command("history")
def models_history(
    home: HomeOption = None, case: CaseOption = "spikes", json: JsonOption = False
) -> None:
    """List every promotion and rollback with its reason."""
    from barograph.app.terminal import model_list

    name = case_named(case).name
    entries = _registry(home).history(name)
    answer({"promotions": entries}, json, lambda: model_list.audit(name, entries))


@app.command("promote")
def models_promote(
    version: Annotated[str, typer.Argument(help="Version number, or candidate.")],
    reason: Annotated[str, typer.Option(help="Reason, for the history.")] = "promoted by hand",
    gated: Annotated[
        bool, typer.Option("--gated", help="Only if the gate of its training said so, and once.")
    ] = False,
    home: HomeOption = None,
    case: CaseOption = "spikes",
    json: JsonOption = False,
) -> None:
    """Make a version the champion; running scorers switch to it within a second.

    With --gated the reason is the gate's; exit code 1, and no change, where the gate refused the
    version, or the champion was trained on later data. A version that is champion already stays it,
    and the answer is its entry.
    """
    from barograph.app.terminal import training_summary
    from barograph.registry.audit import NotPromoted
    from barograph.registry.versions import without_alias

    of = case_named(case)
    registry = _registry(home)
    number = version_number(version)
    if number is None:
        number = registry.version_of(of.name, "candidate") if version == "candidate" else None
    if number is None:
        raise without_alias(of.name, version, registry.versions(of.name))
    if gated:
        entry = _promoted_by_gate(registry, of, number)
        if isinstance(entry, NotPromoted):
            warn(f"{of.name}/{number} stays a candidate: {entry.reason}.")
            if json:
                answer_json(entry)
            raise typer.Exit(1)
    else:
        entry = registry.promote(of.name, number, reason, of.feature_set)
    answer(entry, json, lambda: training_summary.promotion(of.name, entry, _next(case, home)))


@app.command("rollback")
def models_rollback(
    reason: Annotated[str, typer.Option(help="Reason, for the history.")] = "rolled back by hand",
    home: HomeOption = None,
    case: CaseOption = "spikes",
    json: JsonOption = False,
) -> None:
    """Make the previous champion the champion again."""
    from barograph.app.terminal import training_summary

    of = case_named(case)
    entry = _registry(home).rollback(of.name, reason, of.feature_set)
    answer(entry, json, lambda: training_summary.promotion(of.name, entry, _next(case, home)))


def _settings(home: Path | None) -> "Settings":
    """The settings, for a verb that needs models alone: they may be on a server, without a home.

    Raises BadInputError as `settings_of_existing` otherwise.
    """
    from barograph.registry.tracking_server import tracking_server

    settings = settings_of(home)
    return settings if tracking_server(settings.registry) else settings_of_existing(home)


def _registry(home: Path | None) -> "Registry":
    from barograph.app.registries import registry_of

    return registry_of(_settings(home))


def _promoted_by_gate(
    registry: "Registry", case: "Case", version: int
) -> "Promotion | NotPromoted":
    """Promote a version whose gate said so, once."""
    from barograph.registry.audit import NotPromoted
    from barograph.training import card

    label = f"{case.name}/{version}"
    shown = card.decoded(registry.attached(case.name, version, card.FILE), label)
    decision = shown.training.gate.decision
    words = "; ".join(decision.reasons)
    champion = registry.champion_version(case.name)
    if not decision.promote:
        return NotPromoted(version=version, champion=champion, reason=words)
    if champion is not None and registry.knows_later(case.name, champion, version):
        why = f"{case.name}/{champion}, the champion, was trained on later data"
        return NotPromoted(version=version, champion=champion, reason=why)
    history = registry.history(case.name)
    if history and history[-1].version == version == champion:
        return history[-1]
    return registry.promote(case.name, version, words, case.feature_set)


def _write_onnx(registry: "Registry", model: "Model", file: Path) -> None:
    case, _, number = model.label.rpartition("/")
    write_named("--onnx", file, registry.attached(case, int(number), "model.onnx"), "model.onnx")


def _next(case: str, home: Path | None) -> str:
    return f"barograph models show{with_case(case)}{at(home)}"


def _live(
    settings: "Settings",
    log: str | None,
    live: "LiveSeries",
    model: "Model",
    standing: dict[str, str],
    hours: int,
) -> "LiveReport | None":
    """Live scores of `model`; None if no log is named and home has none."""
    from barograph.log import file_of
    from barograph.pipeline import live_scores

    file = file_of(settings.home)
    if log is None and not (file is not None and file.exists()):
        return None
    with existing_log(settings, log) as opened:
        return live_scores.live_report(
            opened,
            live,
            model.label,
            standing=standing,
            hours=hours,
            trained_ns=model.facts.train_end_ns,
        )
