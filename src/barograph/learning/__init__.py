"""Models that learn, and their graphs."""
