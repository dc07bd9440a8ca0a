"""Models are taken up while a worker runs: told when they cannot be, never half."""

import pytest

from barograph.errors import RegistryError
from barograph.follower import Follower
from barograph.kernels import FEATURE_SET_HASH
from barograph.scorer import Scorer
from barograph.shadow import Shadow
from test_scorer import model


class Versions:
    """A registry's part that a Follower uses, with models given by the test."""

    def __init__(self, models, **aliases):
        self.models, self.aliases = models, aliases

    def version_of(self, case, alias):
        assert case == "spikes"
        return self.aliases.get(alias)

    def champion_version(self, case):
        return self.version_of(case, "champion")

    def load(self, case, version, feature_set):
        assert (case, feature_set) == ("spikes", FEATURE_SET_HASH)
        if isinstance(self.models[version], Exception):
            raise self.models[version]
        return self.models[version]


def test_a_champion_that_cannot_be_loaded_is_told_once_and_the_present_one_stays():
    damaged = RegistryError("spikes/2", "its onnx are not what was registered", "Train again")
    told = []
    versions = Versions({1: None, 2: damaged})
    champion = Follower(versions, "spikes", FEATURE_SET_HASH, refresh_s=0.0, warn=told.append)
    scorer = Scorer()
    champion.bring([scorer])
    versions.aliases["champion"] = 2
    for _ in range(3):
        champion.bring([scorer])
    assert len(told) == 1
    assert "spikes/2" in told[0]
    assert scorer._model is None


def test_a_registry_that_breaks_is_told_once_and_the_champion_stays_until_it_is_mended():
    class Broken(Versions):
        broken = False

        def version_of(self, case, alias):
            if self.broken:
                raise RegistryError("mlflow.db", "the database cannot be read", "Try again")
            return super().version_of(case, alias)

    told, versions = [], Broken({1: model("spikes/1"), 2: model("spikes/2")}, champion=1)
    champion = Follower(versions, "spikes", FEATURE_SET_HASH, refresh_s=0.0, warn=told.append)
    labels = []
    for broken, number in ((False, 1), (True, 1), (True, 2), (False, 2), (True, 2)):
        versions.broken, versions.aliases["champion"] = broken, number
        champion.bring([])
        labels.append(champion.model.label)
    assert labels == ["spikes/1", "spikes/1", "spikes/1", "spikes/2", "spikes/2"]
    assert len(told) == 2
    assert set(told) == {
        "model mlflow.db: the database cannot be read. Try again. The present model stays."
    }
    with pytest.raises(RegistryError):
        Follower(versions, "spikes", FEATURE_SET_HASH).bring([])


def test_a_candidate_is_followed_until_it_is_champion_or_cannot_be_loaded():
    damaged = RegistryError("spikes/4", "its onnx are not what was registered", "Train again")
    told = []
    versions = Versions({2: model("spikes/2"), 3: model("spikes/3"), 4: damaged}, champion=1)
    candidate = Follower(
        versions, "spikes", FEATURE_SET_HASH, alias="candidate", refresh_s=0.0, warn=told.append
    )
    shadow, labels = Shadow(), []
    for moves in (
        {}, {"candidate": 2}, {"candidate": 3}, {"champion": 3}, {"champion": 2},
        {"candidate": 4}, {}, {"candidate": 2},
    ):  # fmt: skip
        versions.aliases |= moves
        candidate.bring([shadow])
        assert shadow._model is candidate.model
        labels.append(candidate.model and candidate.model.label)
    assert labels == [None, "spikes/2", "spikes/3", None, "spikes/3", None, None, None]
    assert len(told) == 1
    assert "spikes/4" in told[0]
