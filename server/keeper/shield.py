"""What the operating system is asked to do for a process with keys: no core dump, no look from outside, no foreign exit.

A process that is not dumpable cannot be traced, nor its memory read, by another process of the same user: what else would a taken web process
do. Where the system refuses, the keeper says so in `status`, and works.
"""

from __future__ import annotations

import ctypes
import resource

_PR_SET_DUMPABLE, _PR_GET_DUMPABLE = 4, 3


def shield() -> bool:
    """Whether memory is closed to other processes of this user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return False
    return bool(prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 and prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
