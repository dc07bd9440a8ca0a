"""What was kept of a dataset, in sentences."""

import msgspec

from barograph.training.sample_words import sample_of, sentences, short
from rehearsals import training_report
from samples import FACTS


def test_they_say_what_is_complete_what_was_kept_and_what_makes_up_for_the_rest():
    complete, history, episodes = sentences(FACTS)
    assert complete == (
        "The dataset has 100,000,000 rows, more than the 2,000,000 of --max-rows. The 999,990 from "
        "2025-10-09 08:54 UTC on are complete: they alone are tested, held out, and what drift is "
        "measured against."
    )
    assert history == (
        "The 99,000,010 older rows are only fitted on. One in 5 of them is on the stride: all "
        "700,000 of an episode were kept, and 299,000 of the 19,100,002 others, one in 64. Weights "
        "make up for those that were not."
    )
    assert episodes == (
        "99,998 of 100,003 episodes of the older rows are among them; the others lie between two "
        "rows of the stride."
    )


def test_where_all_was_kept_they_say_all():
    facts = msgspec.structs.replace(FACTS, one_in=1, episodes_between=0)
    assert "others, all. Weights" in sentences(facts)[1]
    assert sentences(facts)[2] == "All 100,003 episodes of the older rows are among them."


def test_a_line_has_room_for_a_hundred_million_rows():
    assert short(FACTS) == (
        "sampled: 1,998,990 of 100,000,000 rows, with 99,998 of 100,003 older episodes"
    )
    assert len(short(FACTS)) <= 78


def test_a_training_on_all_rows_has_none():
    report = training_report()
    assert sample_of(report) is None
    data = msgspec.structs.replace(report.data, sample=FACTS)
    assert sample_of(msgspec.structs.replace(report, data=data)) == FACTS
