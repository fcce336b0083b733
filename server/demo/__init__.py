"""The demonstration: a populated service on this machine, its people, and their software passkeys. Nothing here runs outside `insecure_demo`."""
