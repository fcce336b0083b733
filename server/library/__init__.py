"""The expert library: reading sheets, checking rows, writing templates and demo libraries (docs/library.md)."""
