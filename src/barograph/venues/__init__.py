"""Venue machines: frames of an exchange in, events out. No sockets, no clocks."""
