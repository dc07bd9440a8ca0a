"""How much a verb prints: chosen once for the process."""

from barograph.app.terminal import terminal
from barograph.app.terminal.detail import Detail, choose, chosen


def test_the_detail_is_what_was_chosen_last():
    for detail in (Detail.FULL, Detail.QUIET, Detail.SUMMARY):
        choose(detail)
        assert chosen() is detail


def test_phases_are_shown_unless_quiet(capsys):
    for detail, shown in ((Detail.QUIET, False), (Detail.SUMMARY, True)):
        choose(detail)
        phases = terminal.Phases(terminal.Screen(stderr=True))
        with phases.of("training, walk-forward"):
            pass
        assert ("walk-forward" in capsys.readouterr().err) is shown
        assert set(phases.seconds) == {"training"}
