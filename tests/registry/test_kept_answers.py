"""What a server last said is kept under the home, and nothing that is not what it said."""

import pytest

from barograph.registry import kept_answers
from barograph.registry.kept_answers import FOLDER, CaseAnswer, KeptAnswers
from barograph.registry.model import sha256_of
from barograph.registry.versions import Version

ADDRESS = "https://mlflow.example.org"
ANSWER = CaseAnswer({"champion": 3}, ['{"version":3}'])


def version(number, **tags):
    return Version(
        version=number, run_id=f"r{number}", aliases=(), tags=tags, source="mlflow-artifacts:/1"
    )


def test_an_answer_is_read_as_it_was_kept_by_another_process_too(tmp_path):
    kept = KeptAnswers(tmp_path, ADDRESS)
    assert kept.answer("spikes") is None
    assert kept.versions("spikes") is None
    kept.keep_answer("spikes", ANSWER)
    kept.keep_version("spikes", version(3, onnx_sha256="0" * 64))
    again = KeptAnswers(tmp_path, ADDRESS)
    assert again.answer("spikes") == ANSWER
    assert again.version("spikes", 3) == version(3, onnx_sha256="0" * 64)
    assert again.versions("spikes") == [version(3, onnx_sha256="0" * 64)]
    assert again.version("spikes", 4) is None
    assert again.answer("../spikes") is None
    assert KeptAnswers(tmp_path, "https://another.example.org").answer("spikes") is None


def test_names_of_cases_lead_nowhere_else(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    KeptAnswers(home, ADDRESS).keep_answer("../../x/ü", ANSWER)
    assert KeptAnswers(home, ADDRESS).answer("../../x/ü") == ANSWER
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_file_is_given_only_if_it_has_its_hash(tmp_path):
    kept, content = KeptAnswers(tmp_path, ADDRESS), b"a graph"
    sha256 = sha256_of(content)
    assert kept.file(sha256) is None
    kept.keep_file(sha256, content)
    assert kept.file(sha256) == content
    [path] = tmp_path.rglob(sha256)
    path.write_bytes(b"a graph!")
    assert kept.file(sha256) is None


def test_old_files_make_room_but_never_those_of_an_alias(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_answers, "KEPT_BYTES", 25)
    kept = KeptAnswers(tmp_path, ADDRESS)
    contents = [f"content {number}".encode() for number in range(4)]
    hashes = [sha256_of(content) for content in contents]
    kept.keep_answer("spikes", ANSWER)
    kept.keep_version("spikes", version(3, onnx_sha256=hashes[0]))
    for sha256, content in zip(hashes, contents, strict=True):
        kept.keep_file(sha256, content)
    assert [kept.file(sha256) is not None for sha256 in hashes] == [True, False, False, True]


def test_versions_without_an_alias_are_forgotten_in_the_end(tmp_path):
    kept = KeptAnswers(tmp_path, ADDRESS)
    kept.keep_answer("spikes", ANSWER)
    for number in (3, *range(10, 80)):
        kept.keep_version("spikes", version(number))
    numbers = [each.version for each in kept.versions("spikes")]
    assert (numbers[0], numbers[-1], len(numbers)) == (3, 79, 51)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"answer":{"aliases":{"champion":"x"}}}'])
def test_a_damaged_answer_is_none(tmp_path, damage):
    kept = KeptAnswers(tmp_path, ADDRESS)
    kept.keep_answer("spikes", ANSWER)
    [path] = (tmp_path / FOLDER).rglob("*.case.json")
    path.write_bytes(damage)
    assert kept.answer("spikes") is None
    kept.keep_answer("spikes", ANSWER)
    assert kept.answer("spikes") == ANSWER


def test_without_a_home_or_a_place_to_write_nothing_is_kept_and_nothing_fails(tmp_path):
    KeptAnswers(tmp_path / "new", ADDRESS).keep_answer("spikes", ANSWER)
    KeptAnswers(tmp_path / "new", ADDRESS).keep_file(sha256_of(b""), b"")
    assert not (tmp_path / "new").exists()
    (tmp_path / FOLDER).write_text("a file in the way")
    kept = KeptAnswers(tmp_path, ADDRESS)
    kept.keep_answer("spikes", ANSWER)
    kept.keep_file(sha256_of(b""), b"")
    assert kept.answer("spikes") is None
