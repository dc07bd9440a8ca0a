"""Verbs about the command line itself: help, settings, completion."""

from typing import Annotated, Any, Literal

import typer

from barograph.app.cli.answers import answer, answer_json, say
from barograph.app.cli.options import HomeOption, JsonOption, settings_of

app = typer.Typer()

COMPLETE = "_BAROGRAPH_COMPLETE"
"""Environment variable in which a shell asks for completions."""


@app.command("help")
def help_verb(
    context: typer.Context,
    verb: Annotated[
        list[str] | None, typer.Argument(help="A verb, as in `help models show`.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Print the help of a verb, or of all.

    With --json it prints the verb's options and the JSON schema of its answer.
    """
    name = " ".join(verb or [])
    found = _found(context.find_root(), verb or [])
    if not json:
        say(found.get_help())
        return
    from barograph.app import contract

    options = {
        each.opts[-1]: each.help or ""
        for each in found.command.get_params(found)
        if each.param_type_name == "option"
    }
    schema = contract.schema_of(name) if name in contract.ANSWERS else {}
    help_json = {"verb": name, "usage": found.get_usage(), "options": options, "schema": schema}
    answer_json(help_json)


def _found(root: Any, words: list[str]) -> Any:  # noqa: ANN401 - of typer's own click
    """The context of the command that `words` name. Raises BadInputError if there is none."""
    from difflib import get_close_matches

    from barograph.errors import BadInputError

    found = root
    for word in words:
        commands = getattr(found.command, "commands", {})
        if word not in commands:
            near = get_close_matches(word, commands, 1)
            verb = " ".join(words)
            raise BadInputError(
                verb,
                "there is no such verb",
                f"Did you mean {near[0]}" if near else "`barograph --help` lists all",
            )
        found = type(root)(commands[word], info_name=word, parent=found)
    return found


@app.command()
def settings(home: HomeOption = None, json: JsonOption = False) -> None:
    """Print every setting with its value and what set it."""
    from barograph.app.settings import in_force
    from barograph.app.terminal import settings_table

    options = {} if home is None else {"home": "--home"}
    values = in_force(settings_of(home), options)
    answer({"settings": values}, json, lambda: settings_table.table(values))


@app.command()
def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"], typer.Argument(help="bash, zsh or fish.")
    ] = "bash",
    json: JsonOption = False,
) -> None:
    """Print a script that completes verbs and options in a shell.

    In bash: `source <(barograph completion bash)`.
    """
    from contextlib import redirect_stdout
    from io import StringIO

    from typer.completion import shell_complete
    from typer.main import get_command

    completing = get_command(typer.Typer(add_completion=True, callback=lambda: None))
    with redirect_stdout(StringIO()) as printed:
        shell_complete(completing, {}, "barograph", COMPLETE, f"source_{shell}")
    script = printed.getvalue().strip()
    if json:
        answer_json({"shell": shell, "script": script})
    else:
        say(script)
