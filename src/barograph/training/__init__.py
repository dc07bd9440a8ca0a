"""Datasets, and models made of them: tested, explained, gated."""
