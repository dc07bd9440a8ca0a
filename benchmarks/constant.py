"""Markets with nothing to predict, one after the other, through the whole of `train`: who gets in?

    python benchmarks/constant.py 50

prints a line for each and leaves with 1 when a model was promoted. Takes some ten seconds a market.
"""

import dataclasses
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "given"))

from barograph.cases.spikes import SPIKES
from barograph.evaluation.gate import PromotionGate
from barograph.registry.registry import Registry
from barograph.training.train import Training, train
from markets import market

HOW = Training(folds=2, resamples=300, gate=PromotionGate(resamples=300))


def main(markets: int) -> int:
    """How many of the markets had a model promoted."""
    promoted = 0
    with tempfile.TemporaryDirectory() as home:
        registry = Registry(Path(home))
        for seed in range(1, markets + 1):
            case = dataclasses.replace(SPIKES, name=f"constant-{seed}")
            report = train(case, market("constant", 6, seed), registry, HOW, clock_ns=time.time_ns)
            promoted += report.gate.decision.promote
            print(f"{seed}: {report.gate.decision.word}; {'; '.join(report.gate.decision.reasons)}")
    print(f"{promoted} of {markets} promoted")
    return promoted


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])) > 0)
