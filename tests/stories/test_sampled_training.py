"""A training on a sample of its history beside one on all rows, on a market that fits in memory."""

from dataclasses import replace

import numpy as np
import pytest

from barograph.cases.sampled import SampledRows
from barograph.evaluation import bootstrap, scores
from barograph.registry.drift import reference_of
from barograph.registry.memory import MemoryStore
from barograph.registry.registry import Registry
from barograph.training import card
from barograph.training.no_signal_control import control
from barograph.training.pooled import Pooled
from barograph.training.sample_words import sample_of
from barograph.training.sampled_dataset import read_for
from barograph.training.train import Training, train
from barograph.training.walkforward import walk
from datasets_written import written
from markets import market, spikes_of

pytestmark = pytest.mark.slow

CASE = spikes_of(("persistence", "ewma", "har", "garch", "ridge", "ticks"))
HOW = Training(folds=2, resamples=200, seed=3)
HOURS, SHARE = 48, 8


def alone(table, history):
    """The table with each of its rows for itself, of which the history is only fitted on."""
    return replace(table, sampled=SampledRows(np.ones(len(history), np.int64), history))


@pytest.fixture(scope="module")
def whole():
    return market("market", HOURS, seed=2)


@pytest.fixture(scope="module")
def home(whole, tmp_path_factory):
    return written(tmp_path_factory.mktemp("market"), CASE, whole.frame)


@pytest.fixture(scope="module")
def sampled(whole, home):
    """(dataset, settings): one row in eight at most."""
    return read_for(home, CASE, HOW, len(whole.frame) // SHARE)


@pytest.fixture(scope="module")
def pooled(whole, sampled):
    """Walks with the same tested rows: on all rows, on the sample, and on it without weights."""
    dataset, how = sampled
    every, kept = CASE.table(whole.frame), CASE.table(dataset.frame)
    tables = {
        "all": alone(every, every.order < dataset.sample.complete_from_s),
        "sample": kept,
        "bare": alone(kept, kept.sampled.history),
    }
    return {name: Pooled(walk(CASE, table, how), how) for name, table in tables.items()}


def compared(pooled, name, candidate):
    """A candidate's log loss less that of it fitted on all rows, of spikes by the tau of those."""
    of_all, of = pooled["all"], pooled[name]
    table, rows = of_all._table, of_all.rows
    assert table.order[rows].tolist() == of._table.order[of.rows].tolist()
    drawn = bootstrap.resamples(
        table.order[rows], table.session[rows], block_s=CASE.block, count=200, seed=1
    )
    theirs, ours = bootstrap.resampled_together(
        [(scores.log_loss, each.probability[candidate]) for each in (of_all, of)], of_all.y, drawn
    )
    return (ours - theirs).interval()


@pytest.mark.parametrize("candidate", ["persistence", "har", "ridge", "ticks"])
def test_a_sample_forecasts_as_all_rows_do(pooled, candidate):
    difference = compared(pooled, "sample", candidate)
    assert -0.003 < difference.low <= difference.high < 0.003
    said, ours = (pooled[name].probability[candidate].mean() for name in ("all", "sample"))
    assert ours == pytest.approx(said, rel=0.03)


@pytest.mark.parametrize("candidate", ["har", "ticks"])
def test_without_weights_the_sample_would_say_too_little(pooled, candidate):
    """Of its rows every third is a spike, so that the 0.9 quantile of them is too high a tau."""
    rate = pooled["all"].y.mean()
    said, ours, bare = (pooled[name].probability[candidate].mean() for name in pooled)
    assert 0.9 < said / rate < 1.3
    assert 0.9 < ours / rate < 1.3
    assert bare / rate < 0.7


def test_no_fold_has_a_spike_that_was_left_out(sampled, pooled):
    facts = sampled[0].sample
    for question in pooled["all"]._walked.questions:
        for product, tau in question.target.tau.items():
            assert facts.tau[product] <= tau


def trained(dataset, how, tmp_path):
    registry = Registry(tmp_path, store=MemoryStore())
    report = train(CASE, dataset, registry, how, clock_ns=lambda: 10**18)
    return report, registry


def test_the_card_says_what_was_kept_and_only_complete_rows_are_judged(whole, sampled, tmp_path):
    dataset, how = sampled
    report, registry = trained(dataset, how, tmp_path)
    content = registry.attached(CASE.name, report.model.version, card.FILE)
    known = card.decoded(content, "1")
    facts = sample_of(known.training)
    assert facts == dataset.sample
    assert facts.rows == len(whole.frame)
    assert facts.episodes_between < 0.1 * facts.episodes, "short ones, about tau"
    assert facts.one_in > 1
    assert known.training.settings.max_rows == len(whole.frame) // SHARE
    assert known.facts.train_start_ns < facts.complete_from_s * 10**9
    for fold in known.training.tested.folds:
        assert fold.test.start_ns >= facts.complete_from_s * 10**9
        assert fold.train.stands_for == pytest.approx(
            (fold.train.end_ns - fold.train.start_ns) / 1e9, rel=0.02
        )
        assert fold.train.base_rate == pytest.approx(0.1, abs=0.002)
        assert fold.test.stands_for == fold.test.rows
    drift = reference_of(registry, CASE.name, report.model.version)
    assert drift.start_ns == facts.complete_from_s * 10**9
    again, other = trained(dataset, how, tmp_path)
    assert other.attached(CASE.name, again.model.version, card.FILE) == content


def test_no_more_rows_than_may_be_kept_give_the_card_of_all(tmp_path):
    hours = market("market", 6, seed=2)
    home = written(tmp_path, CASE, hours.frame)
    dataset, how = read_for(home, CASE, HOW, len(hours.frame))
    contents = []
    for data, settings in ((dataset, how), (hours._replace(data_hash="d"), HOW)):
        report, registry = trained(data, settings, tmp_path)
        contents.append(registry.attached(CASE.name, report.model.version, card.FILE))
    assert contents[0] == contents[1]
    for word in (b'"sample":', b"stands_for", b"max_rows"):
        assert word not in contents[0]


def test_the_control_is_of_the_complete_rows_alone_and_finds_nothing(whole, home):
    dataset, how = read_for(home, CASE, HOW, len(whole.frame) // 2)
    walked = walk(CASE, CASE.table(dataset.frame), how)
    walks = []

    def kept(*words, **more):
        walks.append(walk(*words, **more))
        return walks[-1]

    with pytest.MonkeyPatch.context() as now:
        now.setattr("barograph.training.no_signal_control.walk", kept)
        result = control(walked, how)
    assert result.over.low <= 0
    [of_control] = walks
    assert len(of_control.table.order) == (~walked.table.sampled.history).sum()
