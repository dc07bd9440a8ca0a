"""Verbs that run for long and watch over others."""
