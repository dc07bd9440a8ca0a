"""Coinbase's two dialects, recorders' forms of them, and the fast lane for plain lines."""
