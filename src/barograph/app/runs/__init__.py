"""Long-running verbs that supervise threads and child processes."""
