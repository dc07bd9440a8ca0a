"""What a feed heard, verbatim, on disk."""
