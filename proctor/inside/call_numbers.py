"""The system calls that the filter of sessions knows, by kind, with their numbers.

Each entry is a name, its number on x86_64 and its number on aarch64; "-" where that machine has no
such call. What stands in none of the tables is refused as if the kernel did not know it.
"""

from __future__ import annotations

# name: (number on x86_64, number on aarch64); None where that machine has no such call.
Calls = dict[str, tuple[int | None, int | None]]


def table(text: str) -> Calls:
    found: Calls = {}
    for entry in text.split(","):
        name, *numbers = entry.split()
        x86_64, aarch64 = (None if number == "-" else int(number) for number in numbers)
        found[name] = (x86_64, aarch64)
    return found


# What Python, torch, NumPy, matplotlib and the programs of a shell need, whatever the arguments.
ALLOWED = {
    # Files and folders; what may be opened is a matter of mounts.
    **table(
        """
    read 0 63, write 1 64, open 2 -, close 3 57, stat 4 -, fstat 5 80, lstat 6 -,
    newfstatat 262 79, statx 332 291, lseek 8 62, pread64 17 67, pwrite64 18 68, readv 19 65,
    writev 20 66, preadv 295 69, pwritev 296 70, access 21 -, faccessat 269 48,
    faccessat2 439 439, openat 257 56, creat 85 -, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -,
    pipe2 293 59, sendfile 40 71, copy_file_range 326 285, flock 73 32, fsync 74 82,
    fdatasync 75 83, truncate 76 45, ftruncate 77 46, fallocate 285 47, getdents 78 -,
    getdents64 217 61, getcwd 79 17, chdir 80 49, fchdir 81 50, rename 82 -, renameat 264 38,
    renameat2 316 276, mkdir 83 -, mkdirat 258 34, rmdir 84 -, link 86 -, linkat 265 37,
    unlink 87 -, unlinkat 263 35, symlink 88 -, symlinkat 266 36, readlink 89 -,
    readlinkat 267 78, chmod 90 -, fchmod 91 52, fchmodat 268 53, chown 92 -, fchown 93 55,
    lchown 94 -, fchownat 260 54, umask 95 166, utime 132 -, utimes 235 -, utimensat 280 88,
    futimesat 261 -, mknod 133 -, mknodat 259 33, statfs 137 43, fstatfs 138 44, getxattr 191 8,
    lgetxattr 192 9, fgetxattr 193 10, listxattr 194 11, llistxattr 195 12, flistxattr 196 13,
    close_range 436 436, inotify_init 253 -, inotify_init1 294 26, inotify_add_watch 254 27,
    inotify_rm_watch 255 28
    """
    ),
    # Waiting for files, clocks and signals.
    **table(
        """
    poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, epoll_create 213 -,
    epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22,
    epoll_pwait2 441 441, eventfd 284 -, eventfd2 290 19, signalfd 282 -, signalfd4 289 74,
    timerfd_create 283 85, timerfd_settime 286 86, timerfd_gettime 287 87
    """
    ),
    # Memory.
    **table(
        """
    mprotect 10 226, munmap 11 215, brk 12 214, mremap 25 216, msync 26 227, mlock 149 228,
    munlock 150 229, mlock2 325 284, mlockall 151 230, munlockall 152 231, membarrier 324 283
    """
    ),
    # Processes and threads, their users and limits.
    **table(
        """
    fork 57 -, vfork 58 -, execve 59 221, exit 60 93, exit_group 231 94, wait4 61 260,
    waitid 247 95, kill 62 129, tkill 200 130, tgkill 234 131, pidfd_open 434 434,
    pidfd_send_signal 424 424, getpid 39 172, getppid 110 173, gettid 186 178, getuid 102 174,
    geteuid 107 175, getgid 104 176, getegid 108 177, getresuid 118 148, getresgid 120 150,
    getgroups 115 158, setuid 105 146, setgid 106 144, setreuid 113 145, setregid 114 143,
    setresuid 117 147, setresgid 119 149, setfsuid 122 151, setfsgid 123 152, setgroups 116 159,
    capget 125 90, getpgid 121 155, setpgid 109 154, getpgrp 111 -, getsid 124 156,
    setsid 112 157, getpriority 140 141, setpriority 141 140, getrlimit 97 163, getrusage 98 165,
    times 100 153, arch_prctl 158 -, set_tid_address 218 96, set_robust_list 273 99,
    get_robust_list 274 100, futex 202 98, rseq 334 293, sched_yield 24 124,
    sched_getaffinity 204 123, sched_setaffinity 203 122, sched_getscheduler 145 120,
    sched_getparam 143 121, sched_get_priority_max 146 125, sched_get_priority_min 147 126,
    sched_rr_get_interval 148 127, getcpu 309 168
    """
    ),
    # Signals and clocks.
    **table(
        """
    rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136,
    rt_sigtimedwait 128 137, rt_sigsuspend 130 133, rt_sigqueueinfo 129 138,
    rt_tgsigqueueinfo 297 240, sigaltstack 131 132, pause 34 -, restart_syscall 219 128,
    alarm 37 -, getitimer 36 102, setitimer 38 103, nanosleep 35 101, clock_nanosleep 230 115,
    clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169, time 201 -,
    timer_create 222 107, timer_settime 223 110, timer_gettime 224 108, timer_getoverrun 225 109,
    timer_delete 226 111
    """
    ),
    # The machine.
    **table(
        """
    uname 63 160, sysinfo 99 179, getrandom 318 278
    """
    ),
    # Sockets; there is no network.
    **table(
        """
    bind 49 200, connect 42 203, listen 50 201, accept 43 202, accept4 288 242,
    getsockname 51 204, getpeername 52 205, sendto 44 206, recvfrom 45 207, sendmsg 46 211,
    recvmsg 47 212, sendmmsg 307 269, recvmmsg 299 243, shutdown 48 210, getsockopt 55 209
    """
    ),
}

# Allowed with some arguments and not with others: `system_calls.py` says which.
CHECKED = table(
    """
    clone 56 220, fcntl 72 25, ioctl 16 29, madvise 28 233, mmap 9 222, prctl 157 167,
    preadv2 327 286, pwritev2 328 287, prlimit64 302 261, setrlimit 160 164, setsockopt 54 208,
    socket 41 198, socketpair 53 199
    """
)

# Refused as the kernel refuses an ordinary user: programs expect that of these.
FORBIDDEN = table(
    """
    acct 163 89, bpf 321 280, chroot 161 51, clock_adjtime 305 266, clock_settime 227 112,
    delete_module 176 106, fanotify_init 300 262, finit_module 313 273, fsconfig 431 431,
    fsmount 432 432, fsopen 430 430, fspick 433 433, init_module 175 105, ioperm 173 -,
    iopl 172 -, kcmp 312 272, kexec_file_load 320 294, kexec_load 246 104, modify_ldt 154 -,
    mount 165 40, mount_setattr 442 442, move_mount 429 429, msgget 68 186,
    name_to_handle_at 303 264, open_by_handle_at 304 265, open_tree 428 428,
    perf_event_open 298 241, pidfd_getfd 438 438, pivot_root 155 41, process_madvise 440 440,
    process_vm_readv 310 270, process_vm_writev 311 271, ptrace 101 117, quotactl 179 60,
    quotactl_fd 443 443, reboot 169 142, semget 64 190, setdomainname 171 162,
    sethostname 170 161, setns 308 268, shmget 29 194, swapoff 168 225, swapon 167 224,
    syslog 103 116, umount2 166 39, unshare 272 97, userfaultfd 323 282, vhangup 153 58,
    personality 135 92, capset 126 91, sched_setscheduler 144 119, sched_setparam 142 118,
    sched_setattr 314 274, adjtimex 159 171, settimeofday 164 170
    """
)

# Refused as on a file system without them: copying a file with all it has goes on without.
UNSUPPORTED = table(
    """
    setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, lremovexattr 198 15,
    fremovexattr 199 16
    """
)
