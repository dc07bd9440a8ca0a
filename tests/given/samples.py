"""What was kept of a long dataset that nobody made."""

from barograph.cases.sampled import SampleFacts

FACTS = SampleFacts(
    rows=100_000_000, max_rows=2_000_000, complete_from_s=1_760_000_040, complete_rows=999_990,
    history_rows=99_000_010, on_stride=19_800_002, history_kept=999_000, episode_rows=700_000,
    episodes=100_003, episodes_between=5, one_in=64, spacing=5, tau={"BTC-USD": 5e-5},
)  # fmt: skip
