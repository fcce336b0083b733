"""Where the service keeps things: one Store over SQLite or PostgreSQL, and the transparency log in the same transactions."""
