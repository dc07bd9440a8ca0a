"""What a model lives on as, and where."""
