"""Unit files as data, and a process under the rules of one: what systemd would ask the kernel for, asked for here.

    python -m tests.deploy.units UNIT COMMAND...

Taken over: SystemCallFilter (by systemd's own sets, through libseccomp), SystemCallErrorNumber, MemoryDenyWriteExecute (PR_SET_MDWE), LimitCORE,
NoNewPrivileges. Mounts, users and cgroups are not: `systemd-analyze` judges those.
"""

import ctypes
import errno
import os
import resource
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

FOLDER = ROOT / "deploy" / "systemd"
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def read(path: Path) -> dict[str, dict[str, list[str]]]:
    """Section -> name -> values, in order."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and line[0] not in "#;":
            name, _, value = line.partition("=")
            section.setdefault(name, []).append(value)
    return found


@cache
def call_sets() -> dict[str, list[str]]:
    """systemd's sets of system calls by their name."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True).stdout
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        word = line.strip()
        if line.startswith("@"):
            name = word
            found[name] = []
        elif word and not word.startswith("#") and line.startswith(" "):
            found[name].append(word)
    return found


def calls(word: str) -> set[str]:
    """A set with those that it names, or one call."""
    return {each for part in call_sets()[word] for each in calls(part)} if word.startswith("@") else {word}


def allowed(unit: dict[str, dict[str, list[str]]]) -> set[str]:
    """systemd.exec(5): the first line makes it a list of what is allowed, `~` takes away; a few calls are always there."""
    found = set(calls("@default"))
    for line in unit["Service"]["SystemCallFilter"]:
        words = line.removeprefix("~").split()
        every = {each for word in words for each in calls(word)}
        found = found - every if line.startswith("~") else found | every
    return found


def confine(unit: dict[str, dict[str, list[str]]]) -> None:
    """This process and all that it starts."""
    service = unit["Service"]
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if service["LimitCORE"] == ["0"]:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if service["MemoryDenyWriteExecute"] == ["yes"] and prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this kernel has no PR_SET_MDWE")
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    number = getattr(errno, service["SystemCallErrorNumber"][0])
    context = library.seccomp_init(ERRNO | number)
    for name in sorted(allowed(unit)):
        call = library.seccomp_syscall_resolve_name(name.encode())
        if call >= 0:  # others are not this machine's
            assert library.seccomp_rule_add_array(context, ALLOW, call, 0, None) == 0
    assert library.seccomp_load(context) == 0  # with no_new_privs, as libseccomp does of itself


if __name__ == "__main__":
    confine(read(FOLDER / sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
