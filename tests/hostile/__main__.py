"""`make hostile`: every attack, and the table of what came of them."""

import argparse
import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from ordinary import as_ordinary_user

from hostile.trial import ATTACKS, Trial


def part(text: str) -> tuple[int, int]:
    number, count = (int(word) for word in text.split("/"))
    if not 1 <= number <= count:
        raise ValueError(text)
    return number, count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of the order")
    parser.add_argument("--jobs", type=int, default=2, help="submissions marked at a time")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="attacks whose names hold it; repeatable"
    )
    parser.add_argument("--folder", type=Path, help="work in this new folder, and leave it there")
    parser.add_argument("--part", type=part, default=(1, 1), help="2/6: the second sixth of them")
    parser.add_argument(
        "--ordinary", action="store_true", help="as an ordinary user made for it; started by root"
    )
    options = parser.parse_args()
    if options.ordinary:
        again = [word for word in sys.argv[1:] if word != "--ordinary"]
        command = as_ordinary_user([sys.executable, "-B", "-m", "hostile", *again])
        with tempfile.TemporaryDirectory(prefix="home-") as home:
            Path(home).chmod(0o777)
            environment = {**os.environ, "HOME": home, "TMPDIR": home}
            return subprocess.run(command, env=environment, check=False).returncode
    number, count = options.part
    wanted = options.only or [""]
    chosen = [attack for attack in ATTACKS if any(text in attack.name for text in wanted)]
    chosen = chosen[number - 1 :: count]
    print(f"{len(chosen)} attacks in the order of seed {options.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="hostile-"))
        )
        report = Trial(folder, chosen, options.seed, options.jobs).run()
    print(report.table())
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
