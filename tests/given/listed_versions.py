"""A registry that lists what a test wants, for those who follow it."""

from barograph.feature_set.catalogue import FEATURE_SET_HASH


class Versions:
    """A registry's part that a Follower uses, with models given by the test."""

    problem = ""

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
