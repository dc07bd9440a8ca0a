from barograph.app.terminal import history
from barograph.app.terminal.terminal import text_of
from barograph.archive.lake_push import LakePushed
from barograph.archive.pull import Pulled
from barograph.archive.push import Pushed

NAMES = [f"00000{n}.ndjson.gz" for n in range(1, 6)]
NOTHING = Pushed(
    url="s3://b/x", files=0, before=3, bytes=0, open=[], without_manifest=[], lost=[], lake=None,
    removed=[], kept={},
)  # fmt: skip


def shown(renderable):
    return " ".join(text_of(renderable).split())


def test_what_is_all_there_is_said_on_one_line():
    assert shown(history.pushed(NOTHING)) == "nothing sent to s3://b/x: 3 files were there already"
    done = Pulled(url="s3://b/x", files=0, before=1, bytes=0)
    assert shown(history.pulled(done)) == (
        "nothing brought back from s3://b/x: 1 file was here already"
    )


def test_a_push_says_what_was_sent_removed_kept_and_lost():
    done = Pushed(
        url="s3://b/x", files=1, before=2, bytes=1_500_000, open=[NAMES[4]],
        without_manifest=[NAMES[0]], lost=[NAMES[1]],
        lake=LakePushed(files=4, before=1, bytes=300_000), removed=[NAMES[2]],
        kept={NAMES[3]: "it is not compacted", NAMES[0]: "the log does not have it"},
    )  # fmt: skip
    text = shown(history.pushed(done))
    assert "1 file (1.5 MB) sent to s3://b/x, 2 were there already" in text
    assert "of the lake: 4 (0.3 MB) sent, 1 was there already" in text
    assert f"not sent, still open: {NAMES[4]} not sent, without manifest: {NAMES[0]}" in text
    assert "1 file removed here: `barograph archive pull s3://b/x` brings them back" in text
    assert "1 file kept, it is not compacted: `barograph archive compact` first" in text
    assert "1 file kept, the log does not have it: `barograph recover` first" in text
    assert f"lost: {NAMES[1]}" in text


def test_a_pull_says_what_came_back():
    done = Pulled(url="file:///x", files=2, before=1, bytes=2_000_000)
    assert shown(history.pulled(done)) == (
        "2 files (2.0 MB) brought back from file:///x, 1 was here already"
    )
