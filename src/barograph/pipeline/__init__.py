"""Workers on the log: features, predictions, and what watches them."""
