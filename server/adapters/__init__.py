"""The outside world: clock, keys, network. Chosen by `server.app` alone."""
