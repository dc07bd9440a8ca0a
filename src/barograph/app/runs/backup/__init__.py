"""Backups of a home: what belongs to one, how it is taken while a home is in use, and back."""
