"""`make setup`: the pins fit each Python that is promised, and what cannot be is said soon."""

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from proctor.platforms.package import pythons

ROOT = Path(__file__).parent.parent

PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]
SET_UP = ROOT / "tools" / "set_up.py"
PIN_FILES = ("pyproject.toml", "constraints.txt")
LIBRARY = sysconfig.get_path("purelib")
INSTALLED = {canonicalize_name(d.name): d for d in importlib.metadata.distributions(path=[LIBRARY])}


def test_each_package_has_one_version_for_all_pythons():
    names = [pin.name for pin in PINS]
    assert sorted(names) == sorted(set(names))
    assert all(re.fullmatch(r"==[\w.]+", str(pin.specifier)) for pin in PINS)


def test_all_that_set_up_installs_is_pinned_in_that_version():
    pins = {pin.name: pin.specifier for pin in PINS}
    for name in needed_by("proctor[development]"):
        assert INSTALLED[name].version in pins[name], "run `make setup` after a change of pins"


def needed_by(requirement: str) -> set[str]:
    """The packages that it needs, and theirs, and so on."""
    found, waiting = set(), [Requirement(requirement)]
    while waiting:
        asked = waiting.pop()
        name = canonicalize_name(asked.name)
        for text in INSTALLED[name].requires or []:
            each = Requirement(text)
            extras = {"", *asked.extras}
            wanted = not each.marker or any(each.marker.evaluate({"extra": e}) for e in extras)
            if wanted and str(each) not in found:
                found.add(str(each))
                waiting.append(each)
    return {canonicalize_name(Requirement(text).name) for text in found} - {"proctor"}


# What the extras `hub` and `postgresql` alone ask for.
OF_EXTRAS = {
    *("aiodns", "aiohappyeyeballs", "aiohttp", "aiosignal", "annotated-types", "certipy"),
    *("cryptography", "frozenlist", "jupyterhub", "multidict", "oauthlib", "pamela", "propcache"),
    *("psycopg", "psycopg-binary", "pycares", "pydantic", "pydantic-core", "typing-inspection"),
    "yarl",
}


def requires_python_of(name):
    """What a package asks for; "" for one that asks for nothing, or is not installed."""
    return INSTALLED[name].metadata.get("Requires-Python", "") if name in INSTALLED else ""


def test_every_pin_admits_the_first_and_any_later_release_of_each_promised_python():
    wanted = [pin.name for pin in PINS if not pin.marker or pin.marker.evaluate()]
    assert set(wanted) - set(INSTALLED) <= OF_EXTRAS
    faults = []
    for pin in PINS:
        needed = requires_python_of(pin.name)
        for python in pythons():
            releases = [f"{python}.0", f"{python}.99"]
            needs_it = not pin.marker or pin.marker.evaluate({"python_full_version": releases[0]})
            if needs_it and not all(each in SpecifierSet(needed or "") for each in releases):
                faults.append(f"{pin} on {python}: it needs {needed}")
    assert not faults


def set_up_with(before: str) -> str:
    """What `make setup` says, run by an interpreter that is not as this one."""
    script = f"import runpy, sys; {before}; runpy.run_path({str(SET_UP)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 15, 0)])
def test_another_python_than_promised_is_refused_with_the_way_out(version):
    said = set_up_with(f"sys.version_info = {version}")
    assert said.startswith("make setup: Python 3.11 to 3.14 is needed")
    assert ".".join(map(str, version)) in said
    assert "make setup PYTHON=python3.14" in said


def test_python_without_venv_is_told_the_package_to_install():
    assert "apt-get install python3-venv" in set_up_with("sys.modules['ensurepip'] = None")


def test_without_a_network_set_up_ends_within_seconds(tmp_path):
    (tmp_path / "tools").mkdir()
    shutil.copy(SET_UP, tmp_path / "tools")
    for name in ("pyproject.toml", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull}
    began = time.monotonic()
    done = subprocess.run(
        ["make", "setup", f"PYTHON={sys.executable}"],
        cwd=tmp_path,
        env={**os.environ, **nowhere, "PIP_NO_CACHE_DIR": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "make setup: no package could be installed. Is there a network" in done.stderr
    assert not (tmp_path / ".venv/installed").exists()
    assert time.monotonic() - began < 60  # most of it is making the environment


def test_where_pip_finds_packages_uv_does_too(tmp_path, monkeypatch):
    set_up = load(SET_UP)
    monkeypatch.setattr(set_up, "BIN", Path(sys.executable).parent)
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://mirror.example/simple\nproxy = p.example:8\n"
    )
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    found = set_up.uv_environment()
    assert found["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert found["ALL_PROXY"] == "p.example:8"
    assert found["UV_FIND_LINKS"] == "/wheels,/more"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://chosen.example/simple")
    assert set_up.uv_environment()["UV_DEFAULT_INDEX"] == "https://chosen.example/simple"


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("of", "named", "made"),
    [
        ("this", "", False),
        ("another", "", False),  # whoever names none keeps what there is
        ("this", sys.executable, False),
        ("another", sys.executable, True),
        ("this", "/no/such/python", True),  # to be told so
    ],
)
def test_an_environment_of_another_python_than_the_named_one_is_made_anew(
    tmp_path, of, named, made
):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    environment = tmp_path / ".venv"
    environment.mkdir()
    version = ".".join(map(str, sys.version_info[:3])) if of == "this" else "3.1.4"
    (environment / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
    set_up_by(tmp_path)
    assert sets_up(tmp_path, *([f"PYTHON={named}"] if named else [])) is made


@pytest.mark.parametrize("of", PIN_FILES)
def test_an_environment_of_other_pins_is_set_up_again_though_its_files_are_newer(tmp_path, of):
    for name in PIN_FILES:
        shutil.copy(ROOT / name, tmp_path)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv").mkdir()
    set_up_by(tmp_path)
    assert not sets_up(tmp_path)
    with (tmp_path / of).open("a") as file:
        file.write("# one more\n")
    os.utime(tmp_path / of, (0, 0))
    assert sets_up(tmp_path)


def set_up_by(folder: Path) -> None:
    """Leave the sign that `make setup` leaves."""
    data = b"".join((folder / name).read_bytes() for name in PIN_FILES)
    (folder / ".venv/installed").write_text(f"{hashlib.sha256(data).hexdigest()}  -\n")


def sets_up(folder: Path, *variables: str) -> bool:
    """Whether `make setup` would do anything."""
    done = subprocess.run(
        ["make", "--dry-run", "setup", *variables],
        cwd=folder,
        env={
            name: value for name, value in os.environ.items() if name not in ("PYTHON", "MAKEFLAGS")
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return "tools/set_up.py" in done.stdout
