"""The process that holds the keys: seals and opens personal data, verifies approvals, signs. It believes no row (docs/keeper.md)."""
