"""`lotroom beacon` on the machine's clock."""

from server.beacon.commands import beacon_commands
from server.commands.shared import seconds, sleep

beacon = beacon_commands(seconds, sleep)
