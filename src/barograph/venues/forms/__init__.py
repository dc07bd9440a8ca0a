"""Forms of recordings: how people wrote down what a venue sent, and how each is read."""
