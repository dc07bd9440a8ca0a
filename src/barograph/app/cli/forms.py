"""The verb about forms of recordings, and the option that names one of the user's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.answers import answer, say, warn
from barograph.app.cli.options import JsonOption, ZoneOption, zone_named

if TYPE_CHECKING:
    from barograph.archive.recorded_form import Look
    from barograph.venues.forms.own import OwnForm

app = typer.Typer()

FormOption = Annotated[
    Path | None,
    typer.Option("--form", help="Form of one's own, in TOML: where each field of FILES is."),
]


def form_in(path: Path | None) -> "OwnForm | None":
    """Return the form in a file; None without one. Raises BadInputError for one without sense."""
    if path is None:
        return None
    from barograph.errors import BadInputError
    from barograph.files.disk import read_regular
    from barograph.venues.forms.own import FormError, form_of

    cure = "`barograph forms FILE --toml` prints one to correct; docs/recordings.md explains it"
    try:
        return form_of(read_regular(path).decode())
    except OSError as error:
        raise BadInputError(str(path), error.strerror or str(error), cure) from None
    except (FormError, UnicodeDecodeError) as error:
        raise BadInputError(str(path), str(error), cure) from None


@app.command("forms")
def forms_verb(
    file: Annotated[
        Path | None, typer.Argument(help="Recording to look at; none of it is taken.")
    ] = None,
    form: FormOption = None,
    zone: ZoneOption = "UTC",
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the form to correct alone, to be saved.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List the forms of recordings, or show what a file looks like.

    Of FILE it shows container, fields, what the reader settles on, and a form in TOML to correct:
    save it (--toml > form.toml), and give it to replay or dataset as --form.
    """
    from barograph.app.terminal import forms_seen
    from barograph.archive.recorded_form import look
    from barograph.venues.forms.known import KNOWN

    if file is None:
        answer({"forms": list(KNOWN)}, json, lambda: forms_seen.known(KNOWN))
        return
    seen = look(file, zone_named(zone), form_in(form), warn)
    if toml and not json:
        say(_form_to_correct(file, seen))
        return
    answer(seen, json, lambda: forms_seen.seen(file.name, seen))


def _form_to_correct(file: Path, seen: "Look") -> str:
    """Return the TOML of a file's form. Raises BadInputError where there is none to correct."""
    if seen.toml:
        return seen.toml.rstrip()
    from barograph.errors import BadInputError

    why = "its lines are frames of a venue, or none of them has fields"
    cure = "Leave --toml out to see what it looks like; frames need no form"
    raise BadInputError(str(file), why, cure)
