"""Honest notebooks with the habits of real ones: the walls must not be felt in them."""

# ruff: noqa: E501 (lines of students are as long as they are)

from __future__ import annotations

import textwrap

import pytest
from conftest import SESSION_LIMITS

from proctor.sandbox.examination import Examination
from proctor.sandbox.sessions import shared_sandbox
from proctor.settings import TimeLimits

# Generous: on a busy machine nothing here may fail by lateness.
LIMITS = TimeLimits(cell=30, submission=90)

# Cells by habit; the last cell's output, without white space at its ends, must be "fine".
NOTEBOOKS = {
    "a pool of processes": [
        "from multiprocessing import Pool\ndef square(x): return x * x",
        "with Pool(3) as pool:\n    print('fine' if pool.map(square, range(5)) == [0, 1, 4, 9, 16] else 'no')",
    ],
    "an executor of processes": [
        """
        from concurrent.futures import ProcessPoolExecutor
        with ProcessPoolExecutor(2) as executor:
            print("fine" if list(executor.map(abs, [-1, -2])) == [1, 2] else "no")
        """
    ],
    "a pool of threads": [
        """
        from multiprocessing.pool import ThreadPool
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPool(4) as pool, ThreadPoolExecutor(8) as executor:
            print("fine" if pool.map(abs, [-1]) == list(executor.map(abs, [-1])) else "no")
        """
    ],
    "a queue, an event and a lock between processes": [
        """
        import multiprocessing as mp
        queue, event, lock, value = mp.Queue(), mp.Event(), mp.Lock(), mp.Value("i", 0)
        def work():
            with lock: value.value += 1
            queue.put("fine"); event.set()
        process = mp.Process(target=work); process.start()
        said = queue.get(timeout=20); event.wait(20); process.join()
        print(said if value.value == 1 and process.exitcode == 0 else "no")
        """
    ],
    "a manager and shared memory": [
        """
        import multiprocessing as mp, numpy as np
        from multiprocessing.shared_memory import SharedMemory
        with mp.Manager() as manager:
            shared = manager.dict(a=1)
            process = mp.Process(target=lambda: shared.update(a=2)); process.start(); process.join()
            changed = shared["a"]
        memory = SharedMemory(create=True, size=64)
        np.ndarray(8, buffer=memory.buf)[:] = 1.0
        total = np.ndarray(8, buffer=memory.buf).sum(); memory.close(); memory.unlink()
        print("fine" if (changed, total) == (2, 8.0) else "no")
        """
    ],
    "a DataLoader with workers": [
        """
        import torch
        from torch.utils.data import DataLoader, TensorDataset
        data = TensorDataset(torch.arange(64.0).reshape(32, 2), torch.arange(32))
        loader = DataLoader(data, batch_size=8, shuffle=True, num_workers=2)
        print("fine" if sum(y.sum().item() for x, y in loader) == 496 else "no")
        """
    ],
    "tensors between processes": [
        """
        import torch, torch.multiprocessing as mp
        shared = torch.zeros(3).share_memory_()
        def add(t): t += 1
        process = mp.Process(target=add, args=(shared,)); process.start(); process.join()
        print("fine" if shared.tolist() == [1, 1, 1] else "no")
        """
    ],
    "threads of torch": [
        """
        import torch
        torch.set_num_threads(4)
        x = torch.randn(300, 300, requires_grad=True)
        torch.nn.functional.conv2d(torch.randn(4, 3, 32, 32), torch.randn(8, 3, 3, 3))
        (x @ x).sum().backward()
        print("fine" if torch.get_num_threads() == 4 and x.grad is not None else "no")
        """
    ],
    "scripts and traces": [
        """
        import torch
        @torch.jit.script
        def double(x):
            return x * 2
        traced = torch.jit.trace(lambda x: x + 1, torch.ones(2))
        print("fine" if double(traced(torch.ones(2))).tolist() == [4, 4] else "no")
        """
    ],
    "a compiled function": [
        """
        import torch
        @torch.compile(backend="aot_eager")
        def loss(p, t):
            return torch.where(t == 1, 1 - p, p).mean()
        print("fine" if loss(torch.tensor([0.25]), torch.tensor([0])).item() == 0.25 else "no")
        """
    ],
    "an optimizer and a model that is saved": [
        """
        import torch, tempfile, os
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
        optimizer = torch.optim.AdamW(model.parameters())
        for _ in range(3):
            optimizer.zero_grad(); model(torch.randn(5, 4)).pow(2).mean().backward(); optimizer.step()
        torch.save(model.state_dict(), "model.pt")
        model.load_state_dict(torch.load("model.pt"))
        loaded = torch.load("model.pt", mmap=True)
        os.remove("model.pt"); print("fine" if len(loaded) == 4 else "no")
        """
    ],
    "numerics of NumPy": [
        """
        import numpy as np
        a = np.random.default_rng(0).normal(size=(200, 200))
        np.savez_compressed("a.npz", a=a); np.save("b.npy", a)
        mapped = np.load("b.npy", mmap_mode="r+"); mapped[0, 0] = 5; mapped.flush()
        near = np.allclose(np.linalg.inv(a) @ a, np.eye(200), atol=1e-6)
        print("fine" if near and np.load("a.npz")["a"].shape == (200, 200) else "no")
        """
    ],
    "temporary files and folders": [
        """
        import tempfile, shutil, pathlib, os, glob
        with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
            path = pathlib.Path(folder, "a", "b"); path.mkdir(parents=True)
            (path / "c.txt").write_text("x"); os.symlink("c.txt", path / "d"); os.link(path / "c.txt", path / "e")
            shutil.copytree(folder, "copy", symlinks=True); shutil.copy2(path / "c.txt", "c.txt")
            shutil.move("c.txt", "moved.txt"); shutil.make_archive("all", "zip", "copy"); os.sync()
            os.replace("moved.txt", "again.txt"); free = shutil.disk_usage(".").free
            file.write(b"x"); file.flush(); os.fsync(file.fileno()); os.utime("again.txt"); os.chmod("again.txt", 0o600)
        shutil.rmtree("copy")
        print("fine" if pathlib.Path("all.zip").stat().st_size > 0 and free > 0 and glob.glob("*.txt") else "no")
        """
    ],
    "a module written by a cell": [
        "%%writefile mine.py\ndef mnist_loss(p, t):\n    return (p - t).abs().mean()",
        "import sys; sys.path.insert(0, '.')\nimport torch\nfrom mine import mnist_loss\n"
        "print('fine' if mnist_loss(torch.ones(2), torch.ones(2)) == 0 else 'no')",
    ],
    "commands of a shell": [
        "!ls -la / > listing; cat listing | sort | head -3 > top; wc -l top; cp -a top other; mv other third\n"
        "!find / -maxdepth 1 -name tmp; grep -c root listing; sed -n 1p top; tar cf all.tar top third; gzip all.tar\n"
        "!date; uname -a; id; nproc; env | sort | head -2; du -sh . ; touch x; rm x; tail -n 1 listing; awk '{print $1}' top",
        "out = !tar tzf all.tar.gz\nprint('fine' if list(out) == ['top', 'third'] else out)",
    ],
    "commands with an exit code, and time": [
        "%%time\n!false\nx = !echo one; echo two",
        "%timeit -n 2 -r 2 sum(range(100))",
        "print('fine' if list(x) == ['one', 'two'] and _exit_code == 1 else 'no')",
    ],
    "a cell in bash": ["%%bash\nset -e\nmkdir -p a/b\nfor i in 1 2 3; do echo $i > a/b/$i; done\ncat a/b/* | paste -sd+ > sum\n( sleep 0.1 & wait )\nread x < sum; [ $x = 1+2+3 ] && echo fine"],
    "subprocesses": [
        """
        import subprocess, sys
        ran = subprocess.run([sys.executable, "-c", "print(input())"], input="fi", text=True, capture_output=True)
        piped = subprocess.Popen("sleep 0.1; printf ne", shell=True, stdout=subprocess.PIPE, start_new_session=True)
        try:
            subprocess.run(["sleep", "20"], timeout=0.2)
        except subprocess.TimeoutExpired:
            print(ran.stdout.strip() + piped.communicate()[0].decode())
        """
    ],
    "Python of its own that imports torch": [
        """
        import subprocess, sys
        code = "import torch, numpy; torch.set_num_threads(2); print('fine' if (torch.ones(500, 500) @ torch.ones(500, 500)).mean() == 500 else 'no')"
        print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
        """
    ],
    "figures of every kind": [
        """
        import matplotlib.pyplot as plt, numpy as np, io
        figure, axes = plt.subplots(2, 2, subplot_kw={"projection": "3d"})
        axes[0, 0].plot_surface(*np.meshgrid(np.arange(4), np.arange(4)), np.ones((4, 4)))
        plt.close(figure)
        figure, axis = plt.subplots(); axis.imshow(np.eye(4)); axis.set_title(r"$\\alpha_1$ é"); axis.legend(axis.plot([1, 2]), ["a"])
        for kind in ("png", "svg", "pdf"):
            figure.savefig(f"figure.{kind}")
        kept = io.BytesIO(); figure.savefig(kept, dpi=50); plt.close(figure)
        """,
        "import os\nprint('fine' if kept.tell() and os.path.getsize('figure.pdf') else 'no')",
    ],
    "a figure in the notebook": [
        "import matplotlib.pyplot as plt\nplt.hist([1, 2, 2, 3]); plt.show()",
        "print('fine' if plt.get_fignums() == [] else 'no')",
    ],
    "an animation": [
        """
        import matplotlib.pyplot as plt
        from matplotlib.animation import FuncAnimation, PillowWriter
        figure, axis = plt.subplots(figsize=(2, 2)); (line,) = axis.plot([0, 1])
        FuncAnimation(figure, lambda n: line.set_data([0, n], [0, n]), frames=3).save("a.gif", writer=PillowWriter())
        plt.close(figure); print("fine" if open("a.gif", "rb").read(3) == b"GIF" else "no")
        """
    ],
    "tables as csv, json and pickle": [
        """
        import csv, json, pickle, gzip, zipfile, collections
        with open("t.csv", "w", newline="") as file:
            csv.writer(file).writerows([["a", "b"], [1, 2]])
        rows = list(csv.DictReader(open("t.csv")))
        pickle.dump(rows, gzip.open("t.pkl.gz", "wb")); json.dump(rows, open("t.json", "w"))
        with zipfile.ZipFile("t.zip", "w") as archive: archive.write("t.csv")
        print("fine" if json.load(open("t.json")) == [{"a": "1", "b": "2"}] else "no")
        """
    ],
    "a database": [
        """
        import sqlite3
        with sqlite3.connect("runs.db") as db:
            db.execute("pragma journal_mode=wal")
            db.execute("create table losses (step int, loss real)")
            db.executemany("insert into losses values (?, ?)", [(n, 1 / (n + 1)) for n in range(100)])
        print("fine" if sqlite3.connect("runs.db").execute("select count(*) from losses").fetchone() == (100,) else "no")
        """
    ],
    "clocks and sleeping": [
        """
        import time, datetime, sched
        began = time.perf_counter(); time.sleep(0.05); took = time.perf_counter() - began
        times = [time.time(), time.monotonic_ns(), time.process_time(), time.thread_time(), time.clock_gettime(time.CLOCK_BOOTTIME)]
        s = sched.scheduler(); s.enter(0.01, 1, lambda: None); s.run()
        print("fine" if took >= 0.05 and all(times) and time.localtime() and datetime.datetime.now() else "no")
        """
    ],
    "logging and warnings": [
        """
        import logging, logging.handlers, warnings, queue
        logging.basicConfig(filename="run.log", level="INFO", force=True)
        handler = logging.handlers.RotatingFileHandler("other.log", maxBytes=100, backupCount=2)
        logging.getLogger().addHandler(handler)
        for n in range(9): logging.info("step %d, loss %.3f", n, 1 / (n + 1))
        warnings.warn("careful"); print("fine" if "step 8" in open("run.log").read() else "no")
        """
    ],
    "signals": [
        """
        import signal, os, threading
        got = []
        signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
        os.kill(os.getpid(), signal.SIGUSR1); signal.raise_signal(signal.SIGUSR1)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        try:
            signal.signal(signal.SIGVTALRM, lambda *_: 1 / 0); signal.setitimer(signal.ITIMER_VIRTUAL, 0.01)
            while True: pass
        except ZeroDivisionError:
            print("fine" if len(got) == 3 else got)
        """
    ],
    "asyncio": [
        "import asyncio\nawait asyncio.sleep(0.01)",
        """
        async def read():
            process = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
            return (await process.communicate())[0]
        async def serve():
            server = await asyncio.start_unix_server(lambda r, w: (w.write(b"x"), w.close()), "socket")
            reader, writer = await asyncio.open_unix_connection("socket")
            return await reader.read()
        found = await asyncio.gather(read(), asyncio.to_thread(sum, [1, 2]), serve(), asyncio.wait_for(asyncio.sleep(0), 1))
        print("fine" if found[:3] == [b"hello\\n", 3, b"x"] else found)
        """,
    ],
    "introspection": [
        """
        import os, sys, platform, resource, getpass, socket, threading, gc, tracemalloc, inspect, uuid, locale
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE); resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        resource.setrlimit(resource.RLIMIT_STACK, resource.getrlimit(resource.RLIMIT_STACK))
        told = [platform.platform(), os.cpu_count(), os.uname(), socket.gethostname(), os.getcwd(), uuid.uuid1(), uuid.uuid4(),
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, os.times(), sys.getrecursionlimit(), getpass.getuser()]
        tracemalloc.start(); gc.collect(); os.nice(1); threading.stack_size(1 << 20); os.sched_setaffinity(0, os.sched_getaffinity(0))
        print("fine" if all(told) and open("/proc/self/status").read() else told)
        """
    ],
    "psutil and memory": [
        """
        import psutil, os
        me = psutil.Process()
        me.memory_info(); me.cpu_times(); me.num_threads(); me.open_files(); me.children(); me.cmdline()
        print("fine" if me.memory_info().rss > 0 and psutil.cpu_count() and me.pid == os.getpid() else "no")
        """
    ],
    "scikit-learn and joblib": [
        """
        from sklearn.datasets import load_digits
        from sklearn.linear_model import LogisticRegression
        from joblib import Parallel, delayed
        x, y = load_digits(return_X_y=True)
        model = LogisticRegression(max_iter=20).fit(x[:300], y[:300])
        found = Parallel(n_jobs=2)(delayed(abs)(n) for n in (-1, -2))
        good, total = model.score(x[:300], y[:300]), x.sum()
        x[:] = 0  # the next one who asks gets them as they were
        again = load_digits(n_class=2).data.shape == (360, 64) and load_digits().data.sum() == total
        print("fine" if good > 0.5 and found == [1, 2] and total > 0 and again else "no")
        """
    ],
    "recursion, big numbers and errors": [
        "def f(n): return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError:\n    pass",
        "import decimal, fractions, random, traceback, faulthandler\nfaulthandler.enable(open('f', 'w'))\nrandom.seed(1)\n"
        "print('fine' if 2 ** 5000 % 7 and decimal.Decimal(1) / 3 else 'no')",
    ],
    "locks of files": [
        """
        import fcntl, mmap, os
        with open("lock", "w+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB); fcntl.lockf(file, fcntl.LOCK_EX, 1, 0); fcntl.lockf(file, fcntl.LOCK_UN)
            file.truncate(4096); held = mmap.mmap(file.fileno(), 4096); held[0] = 1; held.flush(); held.close()
        print("fine" if os.stat("lock").st_size == 4096 else "no")
        """
    ],
    "a progress bar": [
        """
        from IPython.display import display, clear_output, HTML
        import sys, time
        for n in range(5):
            clear_output(wait=True); display(HTML(f"<b>{n}</b>")); print(n, end="\\r", flush=True); sys.stderr.write(""); time.sleep(0.01)
        """,
        "print('fine')",
    ],
}  # fmt: skip


def said(run):
    text = "".join(output["text"] for output in run.outputs if output["output_type"] == "stream")
    return text.strip()


@pytest.mark.parametrize("habit", NOTEBOOKS)
def test_an_honest_habit_works(habit):
    cells = [textwrap.dedent(cell).strip() for cell in NOTEBOOKS[habit]]
    with Examination(shared_sandbox(SESSION_LIMITS), cells, limits=LIMITS) as examination:
        runs = examination.run_cells()
    told = [
        (run.status, said(run), [o for o in run.outputs if o["output_type"] == "error"])
        for run in runs
    ]
    assert [run.status for run in runs] == ["ok"] * len(cells), told
    assert said(runs[-1]).endswith("fine"), told
    assert examination.incidents == []


def test_torch_has_looked_at_the_processor_before():
    """A session's /proc does not show it; a library that asks again would write to stderr."""
    source = """
        import torch
        x = torch.rand(8, 3, 16, 16, requires_grad=True)
        y = torch.nn.functional.conv2d(x, torch.randn(4, 3, 3, 3)).sigmoid().bernoulli()
        torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear").sum().backward()
        torch.randperm(9); torch.nn.LSTM(3, 4)
    """
    cells = [textwrap.dedent(source)]
    with Examination(shared_sandbox(SESSION_LIMITS), cells, limits=LIMITS) as examination:
        (run,) = examination.run_cells()
    assert (run.status, said(run)) == ("ok", "")
