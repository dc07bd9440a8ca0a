"""How verbs look on the command line: panels, whole first sentences, options that all share.

Help is plain text: rich help would take twice as long to answer.
"""

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command, get_command_name

from barograph.app.cli.answers import print_aside
from barograph.app.terminal.detail import Detail, choose, chosen

PANELS = {
    "Start here": ("demo", "up", "check", "doctor", "settings", "help"),
    "Data": (
        "feed", "replay", "extract", "quality", "forms", "dataset", "produce", "simulate",
    ),
    "Models": ("train", "predict", "models", "report"),
    "Operate": (
        "serve", "alerts", "candles", "featurize", "score", "consume", "verify", "recover",
        "backup", "restore", "service", "deadletters", "rehearse",
    ),
    "Plumbing": ("topics", "archive", "check-feature", "completion"),
}  # fmt: skip
"""The verbs and groups of verbs, in the order of `barograph --help`."""

WIDTH = 80
"""Columns of help, whatever the width of the terminal."""


class Verb(TyperCommand):
    """A verb with the options that all verbs share; its help names arguments in capitals."""

    def __init__(self, *args: Any, params: list[Any] | None = None, **settings: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(*args, params=[*(params or []), *get_command(_pattern).params], **settings)
        for parameter in self.params:
            if isinstance(parameter, TyperOption) and parameter.metavar is None:
                parameter.metavar = _value_of(parameter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 - of typer's own click
        """The arguments, then [OPTIONS]."""
        del ctx
        return [_usage_of(each) for each in arguments_of(self)] + ["[OPTIONS]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - of typer's own click
        """Write arguments and options."""
        if arguments := [(name_of(each), _help_of(each)) for each in arguments_of(self)]:
            with formatter.section("Arguments"):
                formatter.write_dl(arguments)
        with formatter.section("Options"):
            formatter.write_dl(
                [
                    record
                    for each in self.get_params(ctx)
                    if each.param_type_name == "option" and (record := each.get_help_record(ctx))
                ]
            )


class VerbGroup(TyperGroup):
    """Verbs in panels, each with its whole first sentence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - of typer's own click
        """Parse; without arguments print the help on standard error and exit with 2."""
        if not args and not ctx.resilient_parsing:
            print_aside(ctx.get_help())
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - of typer's own click
        """Names in the order of their panels, then those in no panel."""
        names = super().list_commands(ctx)
        ordered = [name for panel in PANELS.values() for name in panel if name in names]
        return ordered + [name for name in names if name not in ordered]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - of typer's own click
        """Write one section for each panel that has verbs of this group."""
        names = self.list_commands(ctx)
        width = max(len(name) for name in names)
        for title, panel in _panels(names):
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(width), first_sentence(self.commands[name])) for name in panel]
                )


def _panels(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    left = list(names)
    for title, panel in PANELS.items():
        if shown := [name for name in panel if name in left]:
            yield title, shown
            left = [name for name in left if name not in shown]
    if left:
        yield "Commands", left


def first_sentence(command: Any) -> str:  # noqa: ANN401 - of typer's own click
    """The first sentence of a command's help, up to its full stop or semicolon."""
    paragraph = " ".join((command.help or "").split("\n\n")[0].split())
    return re.split(r"[.;] ", paragraph)[0].removesuffix(".")


def arguments_of(command: Any) -> list[TyperArgument]:  # noqa: ANN401 - of typer's own click
    """The positional arguments of a verb, in order."""
    return [each for each in command.params if isinstance(each, TyperArgument)]


def name_of(argument: TyperArgument) -> str:
    """FILES… for an argument that takes several values, FILE for one."""
    return str(argument.name).upper() + ("…" if argument.nargs == -1 else "")


def _usage_of(argument: TyperArgument) -> str:
    return name_of(argument) if argument.required else f"[{name_of(argument)}]"


def _help_of(argument: TyperArgument) -> str:
    if argument.required or argument.default in (None, ""):
        return argument.help or ""
    return f"{argument.help}  [default: {argument.default}]"


def _value_of(option: TyperOption) -> str | None:
    """What stands behind an option in its help; None leaves it to typer, which lists choices."""
    if option.is_flag or option.count:
        return None
    kind = option.type_descriptor
    if kind.is_choice:
        return None
    if kind.is_ranged or kind.annotation in (int, float):
        return "NUMBER"
    return "PATH" if kind.is_path else "TEXT"


def _choice(detail: Detail) -> Callable[[bool], bool]:
    def choice(wanted: bool) -> bool:
        if wanted and chosen() not in (Detail.SUMMARY, detail):
            raise typer.BadParameter("-v and -q exclude each other")
        if wanted:
            choose(detail)
        return wanted

    return choice


_pattern = typer.Typer(add_completion=False)


@_pattern.command()
def _shared_options(
    *,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            expose_value=False,
            callback=_choice(Detail.FULL),
            help="Print all tables of the answer.",
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "-q",
            "--quiet",
            expose_value=False,
            callback=_choice(Detail.QUIET),
            help="Print warnings and errors only.",
        ),
    ] = False,
) -> None:
    """Options that every verb has."""


def shared_by_all(app: typer.Typer) -> None:
    """Make every command of `app` a Verb and every group of commands a VerbGroup."""
    for command in app.registered_commands:
        command.cls = Verb
    for group in app.registered_groups:
        group.cls = VerbGroup
        if group.typer_instance is not None:
            shared_by_all(group.typer_instance)


def narrowed(app: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """`app` with only the verb or group that `words` begin with, or `app` itself without one.

    Typer builds every command that an app has before it runs one, which takes 50 ms for all verbs.
    What lists or describes verbs gets all of them: help, and the refusal of a wrong name.
    """
    name = words[0] if words and words[0] != "help" else ""
    only = copy.copy(app)
    for group in app.registered_groups:
        if group.name == name:
            only.registered_groups = [group]
            return only
        if group.typer_instance is None or isinstance(group.name, str):
            continue
        for command in group.typer_instance.registered_commands:
            if _called(command) == name:
                only.registered_groups, only.registered_commands = [], [command]
                return only
    return app


def _called(command: Any) -> str:  # noqa: ANN401 - typer does not export it
    """What a registered command is called on the command line."""
    return command.name or get_command_name(command.callback.__name__)
