"""How verbs look: in panels, with whole first sentences, within 80 columns."""

import pytest
import typer
from typer.core import TyperGroup

from barograph.app.cli import app
from barograph.app.cli.verbs import PANELS, Verb, VerbGroup, first_sentence, name_of, narrowed
from barograph.app.terminal.detail import Detail, choose, chosen

COMMAND = typer.main.get_command(app)


def pages(command, words=()):
    """The words of every help page: all groups and verbs."""
    yield words
    for name, each in getattr(command, "commands", {}).items():
        yield from pages(each, (*words, name))


PAGES = list(pages(COMMAND))


def test_every_verb_stands_in_one_panel():
    named = [name for panel in PANELS.values() for name in panel]
    assert len(named) == len(set(named))
    assert set(COMMAND.commands) <= set(named)


@pytest.mark.slow
@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_every_help_page_fits_80_columns(run, words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run(*words, "--help")
    assert code == 0
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert "..." not in out.replace("COMMAND [ARGS]...", "")


@pytest.mark.slow
@pytest.mark.parametrize("words", [words for words in PAGES if words], ids=" ".join)
def test_the_first_sentence_of_every_verb_stands_on_one_line_of_its_list(run, words):
    command = COMMAND
    for word in words:
        command = command.commands[word]
    sentence = first_sentence(command)
    _, out, _ = run(*words[:-1], "--help")
    line = next(line for line in out.splitlines() if line.split()[:1] == [words[-1]])
    assert line.endswith(sentence)


def test_panels_stand_in_order(run):
    _, out, _ = run("--help")
    titles = [title for title in PANELS if f"{title}:\n" in out]
    assert titles == list(PANELS)
    assert [out.index(f"{title}:\n") for title in titles] == sorted(
        out.index(f"{title}:\n") for title in titles
    )


def test_a_verb_in_no_panel_is_listed_all_the_same(capsys):
    own = typer.Typer(cls=VerbGroup, add_completion=False, rich_markup_mode=None)

    @own.command()
    def check():
        """Look."""

    @own.command()
    def unheard():
        """Do something. And more."""

    with pytest.raises(SystemExit):
        own(["--help"])
    out = capsys.readouterr().out
    assert "Start here:\n  check    Look\n" in out
    assert "Commands:\n  unheard  Do something\n" in out


def test_arguments_are_named_in_capitals_and_usage_says_which_may_be_left_out():
    replay, demo = COMMAND.commands["replay"], COMMAND.commands["models"].commands["show"]
    assert [name_of(each) for each in replay.params if each.param_type_name == "argument"] == [
        "FILES…"
    ]
    assert replay.collect_usage_pieces(None) == ["FILES…", "[OPTIONS]"]
    assert demo.collect_usage_pieces(None) == ["[VERSION]", "[OPTIONS]"]


def test_every_command_is_of_the_house():
    def walk(group):
        for each in group.commands.values():
            if isinstance(each, TyperGroup):
                assert isinstance(each, VerbGroup)
                walk(each)
            else:
                assert isinstance(each, Verb)

    walk(COMMAND)


def test_without_a_verb_the_help_is_printed_and_the_exit_code_is_2(run):
    for words in ((), ("models",)):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert err.startswith("Usage: barograph")


@pytest.mark.parametrize(
    ("words", "detail"),
    [((), Detail.SUMMARY), (("-v",), Detail.FULL), (("--quiet",), Detail.QUIET)],
)
def test_v_and_q_choose_the_detail(run, words, detail):
    choose(Detail.FULL)
    code, out, _ = run("settings", *words)
    assert code == 0
    assert chosen() is detail
    assert bool(out) is (detail is not Detail.QUIET)


def test_v_and_q_exclude_each_other(run):
    code, out, err = run("settings", "-v", "-q")
    assert (code, out) == (2, "")
    assert "-v and -q exclude each other" in err


def test_quiet_json_is_printed(run):
    assert run("settings", "-q", "--json")[1].startswith('{"settings":')


@pytest.mark.parametrize("name", COMMAND.commands)
def test_a_verb_that_is_built_alone_is_the_verb_among_all(name):
    alone = typer.main.get_command(narrowed(app, [name]))
    if name == "help":
        assert alone.commands.keys() == COMMAND.commands.keys()
    else:
        assert [*alone.commands] == [name]
    context = typer.Context(COMMAND)
    ours, theirs = (
        typer.Context(each.commands[name], info_name=name, parent=context).get_help()
        for each in (alone, COMMAND)
    )
    assert ours == theirs


@pytest.mark.parametrize("words", [[], ["--help"], ["-h", "train"], ["trian"], [""]])
def test_what_names_no_verb_is_answered_by_all(words):
    assert narrowed(app, words) is app
