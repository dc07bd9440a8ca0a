"""The HTTP API over a log and a registry, and the live page."""
