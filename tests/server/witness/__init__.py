"""Tests of the witness, its client and the monitor."""
