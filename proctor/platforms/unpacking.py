"""`nbgrader zip_collect`, first step: archives that others made are unpacked with care.

Notebooks and Python modules are taken out, below the folder for them, within limits. Each file that
is left out is told with its reason; one archive, or one file in it, never keeps the others from
being unpacked.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from nbgrader.plugins import ExtractorPlugin
from traitlets import Int

from proctor.grading import intake
from proctor.settings import ArchiveLimits
from proctor.text import plain

MEBIBYTE = 1 << 20
# What a student may hand in as an archive: more than anybody needs, too little to hurt.
FILES_OF_ONE_STUDENT = 200
# Small files of one repeated character are harmless.
BYTES_ABOVE_SUSPICION = MEBIBYTE
CHUNK = 1 << 16
# What zipfile raises for files that are none, or that somebody made with a hex editor.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


class Refused(Exception):
    """An archive or a file in it is not unpacked; the message says why and what to do."""


class CarefulExtractor(ExtractorPlugin):
    """Unpacks what lies in the archive folder. `left_out` tells what was not, and why.

    What an archive holds comes into a folder of its name. Archives within it, which are students'
    own, come into folders that keep the .zip in their names.
    """

    max_files = Int(10_000, help="Most files in one archive.").tag(config=True)
    max_mebibytes = Int(2_000, help="Most mebibytes that one archive unpacks to.").tag(config=True)
    max_file_mebibytes = Int(32, help="Most mebibytes of one file in an archive.").tag(config=True)
    max_ratio = Int(
        200, help="How many times its compressed size a file in an archive may have."
    ).tag(config=True)

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.left_out: list[tuple[str, str]] = []

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Unpack or copy everything below one folder into another."""
        source, target = Path(archive_path), Path(extracted_path)
        limits = ArchiveLimits(
            files=self.max_files,
            total_bytes=self.max_mebibytes * MEBIBYTE,
            file_bytes=self.max_file_mebibytes * MEBIBYTE,
            ratio=self.max_ratio,
        )
        # os.walk goes into no linked folder.
        for folder, folders, names in os.walk(source):
            folders.sort()
            place = Path(folder).relative_to(source)
            for name in sorted([*names, *(f for f in folders if Path(folder, f).is_symlink())]):
                try:
                    self.take(Path(folder, name), target / place, limits, (place / name).as_posix())
                except Refused as error:
                    self.leave_out((place / name).as_posix(), str(error))

    def take(self, path: Path, folder: Path, limits: ArchiveLimits, name: str) -> None:
        """One file of the archive folder: unpack or copy it. Raises Refused."""
        demand_wanted(path.name)
        if is_archive(path.name):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise Refused("it is a link, not a file")
            own_folder = free_path(folder / path.name[: -len(".zip")])
            Unpacking(
                limits, lambda inner, reason: self.leave_out(f"{name}/{inner}", reason)
            ).unpack(path, own_folder)
            return
        try:
            data = intake.read_regular_file(path, limits.file_bytes)
        except intake.Rejected as error:
            raise Refused(str(error)) from None
        write(free_path(folder / on_disk(path.name)), data, path.stat().st_mtime)

    def leave_out(self, name: str, reason: str) -> None:
        self.left_out.append((plain(name), reason))
        self.log.warning("not unpacked: %s: %s", plain(name), reason)


@dataclass(frozen=True)
class Unpacking:
    """Unpacks notebooks and modules; `leave_out(name, reason)` is called for each file that is
    refused."""

    limits: ArchiveLimits
    leave_out: Callable[[str, str], None]

    def unpack(
        self, archive: Path | BinaryIO, folder: Path, packed_at: float | None = None
    ) -> None:
        """Unpack a zip file into a folder. Raises Refused for the whole of it.

        All files get the date of the last one, about when they were packed: what that tells is
        which of two archives is newer.
        """
        try:
            opened = zipfile.ZipFile(archive)
        except DAMAGED:
            raise Refused("it is damaged, or no zip archive: download it again") from None
        with opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            demand_limits(entries, self.limits)
            if packed_at is None:
                packed_at = max(map(modified_at, entries), default=0.0)
            for entry in entries:
                name = name_of(entry)
                try:
                    self.unpack_entry(opened, entry, name, folder, packed_at)
                except Refused as error:
                    self.leave_out(name, str(error))

    def unpack_entry(
        self,
        archive: zipfile.ZipFile,
        entry: zipfile.ZipInfo,
        name: str,
        folder: Path,
        packed_at: float,
    ) -> None:
        """Unpack one file, or the archive that it is. Raises Refused."""
        path = folder.joinpath(*map(on_disk, safe_parts(name)))
        demand_wanted(name)
        demand_harmless(entry, self.limits)
        if path.exists():
            raise Refused("there are two files of that name; the first of them was unpacked")
        if not is_archive(name):
            write(path, read(archive, entry), packed_at)
            return
        if self.limits.depth == 1:
            raise Refused("it is an archive in an archive in an archive: take the notebook out")
        students_own = Unpacking(
            replace(
                self.limits,
                files=FILES_OF_ONE_STUDENT,
                total_bytes=2 * self.limits.file_bytes,
                depth=self.limits.depth - 1,
            ),
            lambda inner, reason: self.leave_out(f"{name}/{inner}", reason),
        )
        students_own.unpack(io.BytesIO(read(archive, entry)), path, packed_at)


def demand_limits(entries: list[zipfile.ZipInfo], limits: ArchiveLimits) -> None:
    if len(entries) > limits.files:
        raise Refused(f"it holds {len(entries):,} files, at most {limits.files:,} are unpacked")
    sizes = [entry.file_size for entry in entries if is_wanted(name_of(entry))]
    # Those that are too large are refused one by one, and are nobody else's fault.
    total = sum(size for size in sizes if size <= limits.file_bytes)
    if total > limits.total_bytes:
        raise Refused(
            f"it unpacks to {total / MEBIBYTE:,.0f} MiB, at most "
            f"{limits.total_bytes / MEBIBYTE:,.0f} are unpacked"
        )


def demand_harmless(entry: zipfile.ZipInfo, limits: ArchiveLimits) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise Refused("it is a link or a device, not a file")
    if entry.flag_bits & 0x1:
        raise Refused("it is encrypted: ask for it without a password")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused("it is compressed in an uncommon way: ask for an ordinary zip file")
    if entry.file_size > limits.file_bytes:
        raise Refused(
            f"it has {entry.file_size / MEBIBYTE:,.0f} MiB, at most "
            f"{limits.file_bytes / MEBIBYTE:,.0f} are unpacked"
        )
    ratio = entry.file_size / max(1, entry.compress_size)
    if entry.file_size > BYTES_ABOVE_SUSPICION and ratio > limits.ratio:
        raise Refused(f"it unpacks to {ratio:,.0f} times its size, as no notebook does")


def read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The bytes of a file: never more than its entry says. Raises Refused for damaged ones."""
    try:
        with archive.open(entry) as file:
            # At once, zipfile would first unpack all there is, and then look at what entry says.
            return b"".join(iter(lambda: file.read(CHUNK), b""))
    except DAMAGED:
        raise Refused("it is damaged: download the archive again") from None


def write(path: Path, data: bytes, modified: float) -> None:
    """Write a file with its date. Raises Refused."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (modified, modified))
    except OSError as error:
        raise Refused(f"it cannot be written ({error.strerror})") from None


# Names


def is_archive(name: str) -> bool:
    return name.lower().endswith(".zip")


def is_notebook(name: str) -> bool:
    return name.lower().endswith(".ipynb")


def is_module(name: str) -> bool:
    return name.endswith(".py")


def is_wanted(name: str) -> bool:
    """Whether it is a notebook, a module or an archive, and not what an operating system leaves
    behind."""
    parts = re.split(r"[/\\]", name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return (is_notebook(name) or is_module(name) or is_archive(name)) and not hidden


def demand_wanted(name: str) -> None:
    if not is_wanted(name):
        raise Refused(
            "it is not a notebook (.ipynb), a module (.py) or a zip archive that a person made"
        )


def name_of(entry: zipfile.ZipInfo) -> str:
    """The name of a file in an archive. Some programs write UTF-8 and do not say so."""
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


def safe_parts(name: str) -> list[str]:
    """The parts of a path below the folder that is unpacked into. Raises Refused."""
    parts = re.split(r"[/\\]", name)
    if parts[0] == "" or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise Refused("its path leads out of the archive")
    return [part for part in parts if part not in ("", ".")]


def on_disk(part: str) -> str:
    """A name without characters that a terminal obeys; the suffix of a notebook in small letters,
    which is how nbgrader knows one."""
    shown = "".join("_" if unicodedata.category(c)[0] == "C" else c for c in part)
    return f"{shown[: -len('.ipynb')]}.ipynb" if is_notebook(shown) else shown


def free_path(path: Path) -> Path:
    """This path, or the first one like it that nothing has taken."""
    others = (path.with_name(f"{path.name} ({number})") for number in range(2, 10_000))
    return next(each for each in (path, *others) if not each.exists())


def modified_at(entry: zipfile.ZipInfo) -> float:
    try:
        return datetime(*entry.date_time).timestamp()
    except (ValueError, OverflowError):
        return 0.0
