"""Commands that root runs as an ordinary user: one without a name and without other rights."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from proctor.sandbox.bubblewrap import find_bubblewrap

REPOSITORY = Path(__file__).resolve().parents[1]
USER = 20001


def can_read_this() -> bool:
    """Whether an ordinary user can read the repository and the virtual environment."""
    places = (*REPOSITORY.parents, REPOSITORY, Path(sys.prefix))
    return all(place.stat().st_mode & 0o5 == 0o5 for place in places)


def showing_the_interpreter() -> list[str]:
    """A wrapper in which every user can read the interpreter, wherever it lies."""
    private = [path for path in Path(sys.base_prefix).parents if path.stat().st_mode & 0o5 != 0o5]
    shown = []
    for folder in private[-1:]:
        below = [path for path in Path(sys.base_prefix).parents if path.is_relative_to(folder)]
        shown += ["--perms", "0755", "--tmpfs", str(folder)]
        shown += ["--ro-bind", sys.base_prefix, sys.base_prefix]
        shown += [word for path in below for word in ("--chmod", "0755", str(path))]
    return [str(find_bubblewrap()), "--dev-bind", "/", "/", *shown, "--cap-add", "ALL"]


def as_ordinary_user(arguments: list[str]) -> list[str]:
    """The command for it. The user can read the interpreter, wherever it lies."""
    user = ("--reuid", str(USER), "--regid", str(USER), "--clear-groups")
    return [*showing_the_interpreter(), "setpriv", *user, *arguments]


def is_root() -> bool:
    return os.geteuid() == 0


SUBORDINATE = """
set -e
for table in passwd group; do
    cp /etc/$table "$0/$table"
    chmod 644 "$0/$table"
done
echo "ordinary:x:$1:$1::/:/bin/sh" >> "$0/passwd"
echo "ordinary:x:$1:" >> "$0/group"
echo "ordinary:300000:65536" > "$0/subuid"
cp "$0/subuid" "$0/subgid"
for table in passwd group subuid subgid; do
    mount --bind "$0/$table" /etc/$table
done
if [ "$2" != / ]; then  # the interpreter lies below a folder of root's alone
    mkdir "$0/shown"
    mount --bind "$3" "$0/shown"
    mount -t tmpfs -o mode=755 none "$2"
    mkdir -p "$3"
    mount --bind "$0/shown" "$3"
fi
user=$1
shift 3
exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
"""


def with_subordinate_ids(arguments: list[str], folder: Path) -> list[str]:
    """The command for it: as an ordinary user who was given subordinate ids, by tables that stand
    in `folder` and hold for this command alone."""
    prefix = Path(sys.base_prefix)
    private = [path for path in prefix.parents if path.stat().st_mode & 0o5 != 0o5]
    words = [str(folder), str(USER), str(private[-1] if private else "/"), str(prefix)]
    return ["unshare", "--mount", "/bin/sh", "-c", SUBORDINATE, *words, *arguments]
