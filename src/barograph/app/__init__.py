"""The user-facing layer: CLI verbs, runs, terminal output, reports, and the wiring of settings."""
