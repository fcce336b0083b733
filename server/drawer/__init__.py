"""The drawing itself, in a child process of the keeper: what is private of a draw, and what follows in it."""
