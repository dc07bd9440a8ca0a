"""Files as a disk has them: whole, durable, bounded, or refused in one line."""
