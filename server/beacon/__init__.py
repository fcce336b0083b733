"""A local beacon network: nodes of different bodies that sign round numbers together (docs/beacon.md)."""
