"""Labels, splits, scores, intervals, alarms, the gate: pure functions."""
