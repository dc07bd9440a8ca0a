"""Doctor: what stands in the way of work, on machine, network and in a home."""
