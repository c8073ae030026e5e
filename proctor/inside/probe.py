"""A session that runs what the trusted side asks and says how it went; for `proctor doctor`.

The answer to `{"source": ...}` is the value that the source leaves in `answer`.
"""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from pathlib import Path
from typing import Any

from proctor.inside import landlock
from proctor.wire import errors, frames


def serve(channel: frames.Channel) -> None:
    """Answer until the other side is gone; never returns."""
    while True:
        try:
            message, _ = channel.receive()
            channel.send(run(message["source"]))
        except errors.Closed:
            os._exit(0)


def run(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    try:
        exec(source, names)  # noqa: S102 - what a sandbox is for
    except BaseException as error:  # noqa: BLE001 - the reply says what happened
        return {"error": type(error).__name__, "message": str(error)[:1000]}
    return {"answer": names.get("answer")}


def facts() -> dict[str, Any]:
    """What holds for this process, as it sees it itself."""
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    return {
        "process": os.getpid(),
        "user": os.getuid(),
        "capabilities": [
            name for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[name], 16)
        ],
        "no_new_privileges": status["NoNewPrivs"] == "1",
        "system_call_filter": status["Seccomp"] == "2",
        "landlock": landlock.held_version,
        "proc": own_proc(),
        "watchers": count_watchers(),
        "processes_seen": sum(name.isdigit() for name in os.listdir("/proc")),
        "network_interfaces": network_interfaces(),
        "writable_folders": writable_folders(),
        "writable_settings": writable_settings(),
        "descriptors": sorted(open_descriptors()),
        "limits": {
            name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1]
            for name in ("DATA", "AS", "NPROC", "NOFILE", "FSIZE", "CPU", "CORE", "MEMLOCK")
        },
        "environment": sorted(os.environ),
    }


def own_proc() -> dict[str, bool]:
    """How the newest /proc is mounted."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    newest = [line.split() for line in lines if line.split()[4] == "/proc"][-1]
    return {
        "read_only": "ro" in newest[5].split(","),
        "subset": "subset=pid" in newest[-1].split(","),
    }


def count_watchers(most: int = 64) -> int:
    """How many watchers of files (inotify) could be made."""
    made: list[int] = []
    while len(made) < most and (descriptor := landlock.libc.inotify_init1(0)) >= 0:
        made.append(descriptor)
    for descriptor in made:
        os.close(descriptor)
    return len(made)


def network_interfaces() -> list[str]:
    lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    return [line.partition(":")[0].strip() for line in lines]


def open_descriptors() -> dict[int, str]:
    """Those above the standard three, with what they lead to."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        path = Path(f"/proc/self/fd/{name}")
        # The folder being listed is open too, and gone by now.
        if int(name) > 2 and path.exists():
            found[int(name)] = str(path.readlink())
    return found


def names_in(folder: str) -> list[str]:
    return os.listdir(folder) if Path(folder).is_dir() else []


def writable_folders() -> list[str]:
    """Top folders, and those below /dev, in which this process may make files."""
    folders = [Path("/"), *Path("/").iterdir(), *Path("/dev").iterdir()]
    return sorted(
        str(folder)
        for folder in folders
        if folder.is_dir() and not folder.is_symlink() and os.access(folder, os.W_OK)
    )


def writable_settings() -> list[str]:
    """The kernel's settings that this process may change."""
    found = [Path(folder) / name for folder, _, names in os.walk("/proc/sys") for name in names]
    # Numbers processes in its own namespace alone.
    harmless = "ns_last_pid"
    return sorted(str(path) for path in found if os.access(path, os.W_OK) and path.name != harmless)


def try_to_connect() -> str | None:
    """The error that an attempt to reach the network ends with; None if it gets through."""
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=1).close()
    except OSError as error:
        return type(error).__name__ if error.strerror is None else error.strerror
    return None


def start_threads(most: int) -> int:
    """How many threads could be started."""
    done = threading.Event()
    threads = [threading.Thread(target=done.wait, daemon=True) for _ in range(most)]
    started = 0
    try:
        for thread in threads:
            thread.start()
            started += 1
    except RuntimeError:
        pass
    done.set()
    return started


def fill_a_file(folder: str, most: int) -> int:
    """How many bytes could be written in several files of a folder."""
    piece = bytes(1 << 20)
    written = 0
    try:
        while written < most:
            with Path(folder, f"piece-{written}").open("wb") as file:
                written += file.write(piece)
    except OSError:
        pass
    return written


def hold_memory_in_processes(processes: int, size: int) -> None:
    """Fork, hold memory in each process, and wait for what happens."""
    for _ in range(processes):
        if os.fork() == 0:
            held = bytearray(os.urandom(1 << 10)) * (size >> 10)
            time.sleep(60)
            os._exit(len(held) % 2)
    time.sleep(60)
