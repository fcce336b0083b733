"""Benchmarks: `make bench`. They print numbers and ratios side by side; nothing here passes or fails."""
