"""What an organisation runs: commands, files, rules as data, and (with later releases) the service."""
