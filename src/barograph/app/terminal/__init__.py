"""What a person sees of a verb on a terminal."""
