"""Who may do what: passwords, logins, throttling, permissions, approvals, people. Functions over values.

No HTTP, no SQL, no clock, no chance: the caller brings them, and storage stands behind a small protocol beside each thing that is stored.
"""
