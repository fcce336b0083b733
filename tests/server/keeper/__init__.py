"""The keeper: real processes, a software authenticator."""
