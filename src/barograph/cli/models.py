"""Verbs on the registry's models: models list, show, promote, rollback."""

from typing import Annotated, Any

import typer

from barograph.cli.answers import answer, as_json
from barograph.cli.options import CaseOption, HomeOption, JsonOption, case_named, settings_of

app = typer.Typer(help="The registry's models.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def models_list(
    home: HomeOption = None, case: CaseOption = "spikes", json: JsonOption = False
) -> None:
    """All versions with their aliases and scores."""
    from barograph import terminal
    from barograph.registry import Registry

    name = case_named(case).name
    versions = Registry(settings_of(home).home).versions(name)
    answer(versions, json, lambda: terminal.versions(name, versions))


@app.command("show")
def models_show(
    version: Annotated[str, typer.Argument(help="A number, candidate or champion.")] = "champion",
    home: HomeOption = None,
    case: CaseOption = "spikes",
) -> None:
    """All facts of one version, as JSON."""
    from barograph.registry import Registry

    which: Any = int(version) if version.isdigit() else version
    of = case_named(case)
    print(as_json(Registry(settings_of(home).home).load(of.name, which, of.feature_set).facts))


@app.command("promote")
def models_promote(
    version: Annotated[int, typer.Argument(help="The version's number.")],
    reason: Annotated[str, typer.Option(help="For the audit.")] = "promoted by hand",
    home: HomeOption = None,
    case: CaseOption = "spikes",
) -> None:
    """Make a version champion; running scorers take it up within a second."""
    from barograph.registry import Registry

    name = case_named(case).name
    Registry(settings_of(home).home).promote(name, version, reason)
    print(f"{name}/{version} is champion")


@app.command("rollback")
def models_rollback(home: HomeOption = None, case: CaseOption = "spikes") -> None:
    """Make the champion before this one champion again."""
    from barograph.registry import Registry

    name = case_named(case).name
    print(f"{name}/{Registry(settings_of(home).home).rollback(name)} is champion again")
