"""Alerts on their way to people: the words of a message, the sinks, and who sends."""
