"""Make the virtual environment `.venv` with everything pinned in constraints.txt: `make setup`.

pip installs uv, and uv installs the rest, in half the time pip would take. This file runs on any
Python 3, so that one that is too old gets a clear message.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / "bin"
CONSTRAINTS = ROOT / "constraints.txt"
# uv does not read pip's settings; these name the mirror, proxy or certificate of a site.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def main():
    torch_index = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        check_python()
        # Whatever the user's umask: the sandbox shows the environment to another user.
        os.umask(os.umask(0) & 0o022)
        make_environment()
        install_uv()
        if torch_index:
            torch = [pin for pin in pins() if pin.startswith("torch==")]
            uv_install("--default-index", torch_index, "--no-deps", *torch)
        uv_install("--constraint", CONSTRAINTS, "--editable", f"{ROOT}[development]")
        announce_pages()
    except Refused as error:
        sys.exit(f"make setup: {error}")


class Refused(Exception):
    """It cannot be done here: why, and what to do."""


def check_python():
    needed = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', read(ROOT / "pyproject.toml"))
    oldest, after = (int(minor) for minor in needed.groups())
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, oldest) <= sys.version_info[:2] < (3, after):
        raise Refused(
            f"Python 3.{oldest} to 3.{after - 1} is needed, but {sys.executable} is {version}. "
            f"Choose another one: `make setup PYTHON=python3.{after - 1}`."
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise Refused(
            f"{sys.executable} has no venv module. On Debian and Ubuntu: "
            "`apt-get install python3-venv`."
        ) from None
    print(f"Python {version} ({sys.executable})", flush=True)


def make_environment():
    settings = ENVIRONMENT / "pyvenv.cfg"
    version = ".".join(map(str, sys.version_info[:3]))
    if settings.exists() and f"version = {version}\n" not in read(settings):
        shutil.rmtree(ENVIRONMENT)  # of another Python: its packages would be of no use
    run([sys.executable, "-m", "venv", ENVIRONMENT], "the virtual environment could not be made")


def install_uv():
    """With pip, which soon shows whether packages can be downloaded at all."""
    uv = [pin for pin in pins() if pin.startswith("uv==")]
    run(
        [BIN / "python", "-m", "pip", "install", "--quiet", "--retries=1", "--timeout=15", *uv],
        "no package could be installed. Is there a network connection? Does pip need a proxy "
        "(`pip config set global.proxy ...`)?",
    )


def uv_install(*arguments):
    run(
        [
            *(BIN / "uv", "pip", "install", "--python", BIN / "python", "--compile-bytecode"),
            *("--build-constraints", CONSTRAINTS, *arguments),
            *([] if sys.stderr.isatty() else ["--quiet"]),  # to a person, bars show how far it is
        ],
        "some packages could not be installed. Run the same command again to continue: what was "
        "installed stays",
        environment=uv_environment(),
    )


def announce_pages():
    """Tell Jupyter about the pages for reading: an editable installation leaves such files out."""
    place = ENVIRONMENT / "etc" / "jupyter" / "jupyter_server_config.d"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "proctor" / "classroom" / "reading" / "proctor.json", place)


def uv_environment():
    """uv's settings, so that it finds packages where pip's settings say they are."""
    listed = subprocess.run(
        [str(BIN / "python"), "-m", "pip", "config", "list"], capture_output=True, text=True
    ).stdout
    settings = {}
    for place in ("global.", "install.", ":env:."):  # the later ones win
        for name, value in re.findall(rf"^{re.escape(place)}([\w-]+)=(.*)$", listed, re.MULTILINE):
            settings[name] = ast.literal_eval(value)
    environment = {UV_NAMES[name]: settings[name] for name in UV_NAMES if name in settings}
    if "UV_FIND_LINKS" in environment:
        environment["UV_FIND_LINKS"] = ",".join(environment["UV_FIND_LINKS"].split())
    # As pip does: the best version of all indexes, not that of the first one.
    environment["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    return {**environment, **os.environ}


def pins():
    return [line.split(";")[0].strip() for line in read(CONSTRAINTS).splitlines()]


def read(path):
    return path.read_text(encoding="utf-8")


def run(command, fault, environment=None):
    done = subprocess.run([str(part) for part in command], env=environment)
    if done.returncode:
        raise Refused(fault)


if __name__ == "__main__":
    main()
