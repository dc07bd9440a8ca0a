"""Barograph records markets without a break and says when the storm comes."""

__version__ = "0.1.0"
