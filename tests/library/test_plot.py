"""Figures of an evaluation: what they show, and what cannot be shown."""

import pytest
from IPython.core.formatters import PNGFormatter

import barograph as bg
from barograph.cases.case import Axis
from barograph.errors import BadInputError
from barograph.library.evaluation import Evaluation
from barograph.training.timeline import Strip, Timeline
from cards import made


def strip(key, start_ns):
    return Strip(
        key=key, start_ns=start_ns, end_ns=start_ns + 4 * 10**9, step_ns=10**9, rows=4,
        low=[0.1, 0.2, None, 0.1], high=[0.2, 0.6, None, 0.2], thresholds=[],
        storms=[(start_ns, start_ns + 10**9)],
    )  # fmt: skip


@pytest.fixture
def evaluation():
    import msgspec  # noqa: PLC0415 - of this fixture alone

    over_time = Timeline(
        strips=[strip("BTC-USD", 0), strip("ETH-USD", 0), strip("BTC-USD", 10**13)],
        strips_left_out=0, episodes=[], false_alarms=[], outcome_axis=Axis("volatility"),
    )  # fmt: skip
    return Evaluation(msgspec.structs.replace(made(), timeline=over_time), model=None)


def test_calibration_and_precision_are_those_of_the_card(evaluation):
    (axes,) = bg.plot.calibration(evaluation).axes
    assert axes.get_xlabel() == "predicted probability"
    assert len(axes.lines[-1].get_xdata()) == len(evaluation.card.bins)
    figure = bg.plot.precision_recall(evaluation)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any(text.startswith("chosen") for text in texts)
    assert any(text.startswith("base rate") for text in texts)


@pytest.mark.parametrize("plot", [bg.plot.calibration, bg.plot.precision_recall, bg.plot.timeline])
def test_a_notebook_shows_the_figure_that_a_cell_ends_with(evaluation, plot):
    """As IPython finds out, which knows figures of Matplotlib only once pyplot was used."""
    assert PNGFormatter()(plot(evaluation)).startswith(b"\x89PNG")


def test_the_timeline_is_of_one_product_and_one_stretch(evaluation, tmp_path):
    figure = bg.plot.timeline(evaluation)
    assert figure.axes[0].get_ylabel() == "probability"
    first, second = (bg.plot.timeline(evaluation, "BTC-USD", part) for part in (0, 1))
    assert first.axes[0].get_xlim() != second.axes[0].get_xlim()
    figure.savefig(tmp_path / "timeline.png")
    assert (tmp_path / "timeline.png").stat().st_size > 1000
    with pytest.raises(BadInputError, match="Name one of BTC-USD, ETH-USD"):
        bg.plot.timeline(evaluation, "SOL-USD")
    with pytest.raises(BadInputError, match="2 parts of it were tested"):
        bg.plot.timeline(evaluation, "BTC-USD", 2)


@pytest.mark.parametrize("plot", [bg.plot.calibration, bg.plot.precision_recall, bg.plot.timeline])
@pytest.mark.parametrize("wrong", [None, 5, Evaluation])
def test_what_is_no_evaluation_is_refused(plot, wrong):
    with pytest.raises(BadInputError, match=r"not what barograph\.evaluate returns"):
        plot(wrong)


@pytest.mark.parametrize("part", [-1, "first", 1.0])
def test_a_part_is_a_number_from_zero_on(evaluation, part):
    with pytest.raises(BadInputError, match="part="):
        bg.plot.timeline(evaluation, part=part)
