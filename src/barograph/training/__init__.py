"""Datasets, and training: walk-forward tests, model cards, the gate."""
