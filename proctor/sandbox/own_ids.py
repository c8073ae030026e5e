"""Users and groups of the machine for sessions, that nobody else has.

Root may give any. An ordinary user may be given subordinate ones by an administrator (/etc/subuid,
/etc/subgid), which `newuidmap` hands out. As a program this enters a user namespace, in which the
caller is root and the subordinate ones follow, and goes on as the command it is given.
"""

from __future__ import annotations

import ctypes
import functools
import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWUSER = 0x10000000
# Of so many, that those which systems give by themselves are covered, and "nobody".
ENOUGH = 65_536
# Beyond what systems and containers give to anybody; where there are few, those that few have.
FAR, NEAR, COUNT = 1_900_000_000, 10_000, 50_000


@dataclass(frozen=True)
class Ids:
    """Numbers of users that are also numbers of groups: `first` and those after it."""

    first: int
    count: int


def ids_of_root() -> Ids | None:
    """What root here may give to sessions: its container may have few itself, or too few."""
    for first in (FAR, NEAR):
        if all(covers(Path(f"/proc/self/{kind}_map"), first) for kind in ("uid", "gid")):
            return Ids(first, COUNT)
    return None


def covers(mapping: Path, first: int) -> bool:
    rows = [[int(word) for word in line.split()] for line in mapping.read_text().splitlines()]
    return any(inside <= first and first + COUNT <= inside + count for inside, _, count in rows)


@functools.cache
def entrance(bubblewrap: Path) -> tuple[str, ...]:
    """The words before a command of bubblewrap that let an ordinary user give ids to sessions;
    none where that cannot be had. Tried once."""
    users, groups = (subordinate(Path(f"/etc/{kind}")) for kind in ("subuid", "subgid"))
    if users is None or groups is None or not (shutil.which("newuidmap") and readable_by_all()):
        return ()
    words = (sys.executable, "-I", str(Path(__file__).resolve()), str(users), str(groups))
    attempt = [str(bubblewrap), "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    tried = subprocess.run([*words, *attempt], capture_output=True, check=False)
    return words if tried.returncode == 0 else ()


def subordinate(table: Path) -> int | None:
    """The first of enough subordinate ids of this user, if there are any."""
    try:
        names = {str(os.getuid()), pwd.getpwuid(os.getuid()).pw_name}
        rows = [line.split(":") for line in table.read_text().splitlines()]
    except (OSError, KeyError):
        return None
    fitting = [
        int(row[1])
        for row in rows
        if len(row) == 3 and row[0] in names and row[2].isdigit() and int(row[2]) >= ENOUGH
    ]
    return fitting[0] if fitting else None


def readable_by_all() -> bool:
    """Whether a stranger may read the interpreter and what it imports, as sessions must then."""
    import numpy

    places = [Path(sys.executable).resolve(), Path(numpy.__file__), Path(__file__)]
    return all(
        place.stat().st_mode & 0o4 and place.parent.stat().st_mode & 0o5 == 0o5 for place in places
    )


def main() -> None:
    users, groups, *command = sys.argv[1:]
    ready, begin = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.read(ready, 1)
        process = str(os.getppid())
        for program, own, first in (
            ("newuidmap", os.getuid(), users),
            ("newgidmap", os.getgid(), groups),
        ):
            mapping = ["0", str(own), "1", "1", first, str(ENOUGH)]
            done = subprocess.run([program, process, *mapping], check=False)
            if done.returncode:
                os._exit(1)
        os._exit(0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) < 0:
        raise OSError(ctypes.get_errno(), "unshare: no user namespace can be created")
    os.write(begin, b"x")
    if os.waitpid(helper, 0)[1]:
        sys.exit("newuidmap or newgidmap failed")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
