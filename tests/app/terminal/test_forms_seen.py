from barograph.app.terminal import forms_seen
from barograph.app.terminal.terminal import text_of
from barograph.archive.recorded_form import Look
from barograph.venues.forms.known import KNOWN

LOOK = Look(
    container="lines",
    forms=["flat: no product"],
    line="1 form: flat: no product",
    problem="no product",
    cure="Name it",
    fields=["a", "\x1b[31mb"],
    first="{\x1b]0;x",
    toml='[fields]\ntime = "?"\n',
)


def test_a_look_shows_all_of_it_and_obeys_nothing():
    shown = text_of(forms_seen.seen("x\x1b.csv", LOOK))
    for part in ("lines", "flat: no product", "Name it", "[fields]"):
        assert part in shown
    assert "\x1b" not in shown


def test_known_forms_are_shown_with_their_lines():
    shown = text_of(forms_seen.known(KNOWN))
    assert all(form.name in shown for form in KNOWN)
    assert "barograph forms FILE" in shown
