"""A market whose law is known, and an exchange that tells of it, with faults on demand."""
