"""Model versions: their format, storage and promotion history."""
