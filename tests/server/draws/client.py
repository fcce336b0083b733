"""`lotroom` with a clock as far ahead as LOTROOM_TEST_AHEAD says: the machine of a supervisor in a test whose clock was moved."""

import os

from server.__main__ import main
from server.adapters.clock import SystemClock

_now = SystemClock.now
SystemClock.now = lambda self: _now(self) + int(os.environ.get("LOTROOM_TEST_AHEAD", "0"))

if __name__ == "__main__":
    main()
