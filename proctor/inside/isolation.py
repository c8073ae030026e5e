"""What the warm process and its sessions do to themselves before any student code runs.

`enter_nursery` makes the warm process the first of namespaces in which it may make more of them.
`fork_first_process` forks a session as the first of process numbers of its own, which then calls
`confine`: it gets private folders and the other namespaces, loses every capability, and is limited.
Linux only: the names below are the kernel's own.
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
from contextlib import suppress
from pathlib import Path

from proctor.inside import landlock
from proctor.wire.linux import PRIVATE_FOLDERS, memory_in_use, read_bytes, read_numbers

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
# Of a session, once its folders are mounted: it has no right to change them in there.
NAMESPACES = CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWCGROUP

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522
CAP_SETGID, CAP_SETUID = 6, 7
CAP_SYS_ADMIN = 21
# Over sessions that are users of their own: to end, measure and slow them down.
OVER_OTHERS = (5, 19, 23, CAP_SETGID, CAP_SETUID)  # CAP_KILL, SYS_PTRACE, SYS_NICE

STUDENT_ID = 1000
HOME = Path("/home/student")
MAX_TERMINALS = 16
# Settings of a session's user namespace. Watches of files count for the user who grades, too, who
# may have few.
SETTINGS = {"max_user_namespaces": 0, "max_inotify_instances": 4, "max_inotify_watches": 1024}

libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def control_process(option: int, *values: int) -> None:
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _check(libc.prctl(option, *arguments), f"prctl {option}")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    result = libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    _check(result, f"mount {kind or 'bind'} on {target}")


def die_with_parent() -> None:
    control_process(PR_SET_PDEATHSIG, signal.SIGKILL)


def forbid_inspection() -> None:
    """No other process may trace this one or read its memory."""
    control_process(PR_SET_DUMPABLE, 0)


def enter_nursery(ids: tuple[int, int] | None) -> None:
    """Go on in a fork: process 1 of new namespaces, with the right to make more in them and no
    other. The process that called this stays, and ends when the fork does.

    `ids`, the first and how many, are users for sessions; it takes the right to give them away.
    """
    flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS
    if ids:
        enter_namespace_of_ids(flags, ids)
    else:
        enter_user_namespace(flags, os.getuid(), os.getgid())
    process = os.fork()
    if process:
        forbid_inspection()
        _, status = os.waitpid(process, 0)
        os._exit(abs(os.waitstatus_to_exitcode(status)))
    die_with_parent()
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    kept = (CAP_SYS_ADMIN, *OVER_OTHERS) if ids else (CAP_SYS_ADMIN,)
    set_capabilities(sum(1 << capability for capability in kept))


def enter_namespace_of_ids(flags: int, ids: tuple[int, int]) -> None:
    """New namespaces, in which this process's user and group and `ids` have the numbers they have
    here. A fork, which stays here with the right to do so, says so to the kernel."""
    first, count = ids
    process, (ready, begin) = os.getpid(), os.pipe()
    helper = os.fork()
    if helper == 0:
        os.read(ready, 1)
        for kind, own in (("uid", os.getuid()), ("gid", os.getgid())):
            write("/proc", f"{process}/{kind}_map", f"{own} {own} 1\n{first} {first} {count}\n")
        os._exit(0)
    _check(libc.unshare(flags), "unshare")
    os.write(begin, b"x")
    os.close(ready)
    os.close(begin)
    if os.waitpid(helper, 0)[1]:
        raise OSError("uid_map: this sandbox cannot give sessions users of their own")


def become(number: int) -> None:
    """The user and group of this number, for good."""
    os.setgroups([])
    os.setresgid(number, number, number)
    os.setresuid(number, number, number)


def enter_user_namespace(flags: int, user: int, group: int, proc: int | None = None) -> None:
    """New namespaces, in which this process's user and group have these numbers. `proc` is an open
    /proc that can be written to, where this process's own is not."""
    own_user, own_group = os.getuid(), os.getgid()
    # A process that may not be inspected may not write its own maps either.
    control_process(PR_SET_DUMPABLE, 1)
    _check(libc.unshare(flags), "unshare")
    write("/proc", "self/setgroups", "deny", proc)
    write("/proc", "self/uid_map", f"{user} {own_user} 1", proc)
    write("/proc", "self/gid_map", f"{group} {own_group} 1", proc)


def write(folder: str, name: str, text: str, opened: int | None = None) -> None:
    """Write to a file of a folder, or of one that is `opened` already."""
    path = name if opened is not None else f"{folder}/{name}"
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=opened)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def fork_first_process() -> int:
    """As `os.fork`, but the fork is process 1 of process numbers of its own."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(libc.unshare(CLONE_NEWPID), "unshare")  # it counts for forks, not for the caller
        process = -1
        try:
            process = os.fork()
        finally:
            if process:
                _check(libc.setns(own, CLONE_NEWPID), "setns")
    finally:
        os.close(own)
    return process


def confine(
    limits: dict[str, int], visible: list[str], kept_descriptors: list[int], user: int | None
) -> None:
    """Private folders, namespaces, no capabilities, limits; runs as process 1 of its numbers, as
    that user, or as the one it is where there is none to be given."""
    os.setsid()
    reset_signals()
    replace_descriptors(kept_descriptors)
    # The session's own /proc is read-only and shows its processes alone.
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    _check(libc.unshare(CLONE_NEWNS), "unshare")
    mount_private_folders(limits, visible)
    if user is not None:
        become(user)
    enter_user_namespace(NAMESPACES, STUDENT_ID, STUDENT_ID, proc)
    for name, value in SETTINGS.items():
        write("/proc", f"sys/user/{name}", str(value), proc)
    # Where the machine runs out of memory, the kernel is to take it from here.
    write("/proc", "self/oom_score_adj", "1000", proc)
    last_capability = read_from(proc, "sys/kernel/cap_last_cap")
    os.close(proc)
    set_limits(limits)
    drop_capabilities(int(last_capability))
    landlock.restrict(PRIVATE_FOLDERS)
    HOME.mkdir(exist_ok=True)
    os.chdir(HOME)


def read_from(folder: int, name: str) -> str:
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)) as file:
        return file.read()


def reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not None:
            signal.signal(number, signal.SIG_DFL)
    # What Python itself sets at its start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def replace_descriptors(kept: list[int]) -> None:
    """Close every descriptor but `kept`; standard input and outputs lead to nothing."""
    silence()
    for name in os.listdir("/dev/fd"):
        if int(name) > 2 and int(name) not in kept:
            # One of them was the listing itself.
            with suppress(OSError):
                os.close(int(name))


def silence() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.close(null)


def mount_private_folders(limits: dict[str, int], visible: list[str]) -> None:
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    # A fresh folder would hide an interpreter that lies in it: hold on to it, bind it back.
    held = {
        path: os.open(path, os.O_PATH)
        for path in visible
        if any(Path(path).is_relative_to(folder) for folder in PRIVATE_FOLDERS)
    }
    options = f"size={limits['temporary_bytes']},nr_inodes={limits['temporary_files']}"
    for folder in PRIVATE_FOLDERS:
        mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, f"{options},mode=1777")
    # The machine has a few thousand pseudo terminals, for all users together.
    options = f"newinstance,ptmxmode=0666,max={MAX_TERMINALS}"
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, options)
    for path, descriptor in held.items():
        put_back(path, descriptor)
    mount_own_processes()


def mount_own_processes() -> None:
    """/proc without the machine's settings and counters, and read-only: it cannot be used to win
    back a place in the queue for memory that ran out."""
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    try:
        mount("proc", "/proc", "proc", flags, "subset=pid")
    except OSError:  # before Linux 5.8
        mount("proc", "/proc", "proc", flags)


def put_back(path: str, descriptor: int) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if Path(f"/proc/self/fd/{descriptor}").is_dir():
        Path(path).mkdir(exist_ok=True)
    else:
        Path(path).touch()
    mount(f"/proc/self/fd/{descriptor}", path, "", MS_BIND | MS_REC)
    os.close(descriptor)


def set_limits(limits: dict[str, int]) -> None:
    mapped, data = memory_in_use()
    for kind, value in (
        # On top of what the warm interpreter holds: that differs much between builds of torch.
        (resource.RLIMIT_DATA, data + limits["data_bytes"]),
        (resource.RLIMIT_AS, mapped + limits["address_bytes"]),
        (resource.RLIMIT_STACK, limits["stack_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 256),
        (resource.RLIMIT_RTPRIO, 0),
        (resource.RLIMIT_NICE, 0),
        # Not 0: only 1 also keeps the kernel from piping a core dump to a program of the machine.
        (resource.RLIMIT_CORE, 1),
    ):
        resource.setrlimit(kind, (value, value))
    # The signal at the soft limit can be caught; the hard one ends the process.
    seconds = limits["cpu_seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    if processes_are_counted_per_namespace():
        processes = limits["processes"]
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))


def lowered_processor_limit(process: int, limits: dict[str, int]) -> bool:
    """Whether a process, which may have ended, let itself have less than `set_limits` gave it."""
    try:
        found = re.search(rb"Max cpu time +(\d+) +(\d+)", read_bytes(f"/proc/{process}/limits"))
    except OSError:
        return True  # what cannot be told is nobody else's doing
    return found is not None and min(map(int, found.groups())) < limits["cpu_seconds"]


def processes_are_counted_per_namespace() -> bool:
    """Before Linux 5.14 RLIMIT_NPROC counts all processes of the user on the whole machine."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int("".join(filter(str.isdigit, minor)))) >= (5, 14)


def is_ending(process: int) -> bool:
    """Whether it has begun to end by itself: its memory is what a process gives back first."""
    return "VmSize" not in read_numbers(Path(f"/proc/{process}/status"))


class CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class CapabilityData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def drop_capabilities(last: int) -> None:
    for capability in range(last + 1):
        control_process(PR_CAPBSET_DROP, capability)
    control_process(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    set_capabilities(0)
    control_process(PR_SET_NO_NEW_PRIVS, 1)
    # Dropping capabilities hides /proc/self from its own process; a student may read that.
    control_process(PR_SET_DUMPABLE, 1)


def set_capabilities(kept: int) -> None:
    """Keep the capabilities of this bit mask, below the 32nd, in use, and no other."""
    header = CapabilityHeader(CAPABILITY_VERSION_3, 0)
    data = (CapabilityData * 2)(CapabilityData(effective=kept, permitted=kept))
    _check(libc.capset(ctypes.byref(header), data), "capset")
