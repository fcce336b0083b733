"""A child process whose long task ends when a file is there: `tests/server/keeper/test_drawer.py`."""

import sys
import time
from pathlib import Path

from server.keeper.work import Json, serve


def held(task: Json) -> Json:
    """Until the file is there."""
    while not Path(task["until"]).exists():
        time.sleep(0.01)
    return {}


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, {"prepare": held, "terms": lambda _: {}})
