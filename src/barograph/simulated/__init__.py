"""A simulated market with a known law, and a simulated exchange with faults on demand."""
