"""`lotroom witness` on the machine's clock."""

from server.commands import shared
from server.witness.commands import witness_commands

witness = witness_commands(lambda: shared.clock())  # noqa: PLW0108  # looked up when it is called: tests set the clock
