"""Files of a version: bounded, and removed where they are halves."""

import pytest

from barograph.errors import RegistryError
from barograph.registry.artifacts import content_of, removed_partials, runs_in


def test_a_file_that_is_too_large_or_gone_names_its_version_and_a_cure(tmp_path):
    (tmp_path / "facts.json").write_bytes(b"{}")
    for name, why in (("facts.json", "larger than 1 bytes"), ("gone", "No such file")):
        with pytest.raises(RegistryError, match=why) as refused:
            content_of("spikes/1", tmp_path / name, 1)
        assert refused.value.version == "spikes/1"
        assert "barograph train" in refused.value.cure


@pytest.mark.parametrize("content", [b"{", b"[1]", b"null", b"\xff", b"[" * 10_000])
def test_judged_rows_that_are_none_are_refused(content):
    with pytest.raises(RegistryError, match=r"judged\.json cannot be read"):
        runs_in("spikes/1", content)


def test_halves_are_removed_and_whole_files_stay(tmp_path):
    place = tmp_path / "run" / "artifacts"
    place.mkdir(parents=True)
    for name in ("card.json", "card.json.partial"):
        (place / name).write_bytes(b"{}")
    removed_partials(tmp_path)
    assert [path.name for path in place.iterdir()] == ["card.json"]
