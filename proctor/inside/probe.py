"""A session that runs what the trusted side asks and says how it went; for `proctor doctor`.

The answer to `{"source": ...}` is the value that the source leaves in `answer`.
"""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path
from typing import Any

from proctor import wire


def serve(channel: wire.Channel) -> None:
    """Answer until the other side is gone; never returns."""
    while True:
        try:
            message, _ = channel.receive()
            channel.send(run(message["source"]))
        except wire.Closed:
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
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines()
    )
    return {
        "process": os.getpid(),
        "user": os.getuid(),
        "capabilities": [status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "no_new_privileges": status["NoNewPrivs"] == "1",
        "system_call_filter": status["Seccomp"] == "2",
        "processes_seen": sum(name.isdigit() for name in os.listdir("/proc")),
        "network_interfaces": [name for _, name in socket.if_nameindex()],
        "writable_folders": writable_folders(),
        "limits": {
            name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1]
            for name in ("DATA", "AS", "NPROC", "NOFILE", "FSIZE", "CPU")
        },
        "environment": sorted(os.environ),
    }


def writable_folders() -> list[str]:
    """Top folders, and those below /dev, in which this process may make files."""
    folders = [Path("/"), *Path("/").iterdir(), *Path("/dev").iterdir()]
    return sorted(
        str(folder)
        for folder in folders
        if folder.is_dir() and not folder.is_symlink() and os.access(folder, os.W_OK)
    )
