"""Witnesses of the log: their process, what asks them, and a monitor. Another machine runs them, with keys of its own."""
