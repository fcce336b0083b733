"""The commands of `lotroom`, each loaded when it is asked for (`server.__main__`)."""
