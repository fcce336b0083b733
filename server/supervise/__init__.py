"""A supervisor's client on a machine of their own: it checks what the service shows, and only then signs."""
