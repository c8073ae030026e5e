# `make demo` and `make test` are all a newcomer needs; both install what is missing first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A package index that serves torch's CPU build: see README.
TORCH_INDEX ?=

.PHONY: torch setup lock lab demo test e2e docs hostile faults rush soak mutants hub postgresql lint style bench scale audit clean

setup: $(VENV)/installed

# A Python that was named makes the environment anew where it is of another one.
ifneq ($(origin PYTHON),file)
NAMED := $(shell "$(PYTHON)" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2> /dev/null)
ifeq ($(shell grep --fixed-strings --line-regexp "version = $(NAMED)" $(VENV)/pyvenv.cfg 2> /dev/null),)
.PHONY: $(VENV)/installed
endif
endif

# And so does an environment that was set up by other pins than today's, whatever the files' times say.
PINS := $(shell cat pyproject.toml constraints.txt | sha256sum)
ifneq ($(shell cat $(VENV)/installed 2> /dev/null),$(PINS))
.PHONY: $(VENV)/installed
endif

$(VENV)/installed:
	"$(PYTHON)" tools/set_up.py $(TORCH_INDEX)
	echo "$(PINS)" > $@

# Pins that hold for each Python of pyproject.toml: one version of a package for all of them, and a wheel
# for each on both kinds of machine. What torch's CUDA builds need, they name themselves. Newer versions:
# `make lock UPGRADE=--upgrade`.
lock: setup
	$(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --all-extras \
		--no-annotate --no-header $(UPGRADE) --output-file constraints.txt pyproject.toml
	sed --in-place --regexp-extended '/^(nvidia|cuda|triton)/d' constraints.txt
	for python in 3.11 3.12 3.13 3.14; do for machine in x86_64 aarch64; do \
		$(BIN)/uv pip compile --quiet --all-extras --constraints constraints.txt --only-binary :all: \
			--python-version $$python --python-platform $$machine-manylinux_2_28 pyproject.toml > /dev/null \
			|| exit 1; \
	done; done

lab: setup
	$(BIN)/proctor lab

demo: setup
	$(BIN)/python tests/demo.py

# Tests wait a third of their time, for limits and for other processes: so many fill the cores.
WORKERS := $(shell echo $$(( ($$(nproc) * 3 + 1) / 2 )))

# The files in their order, the longest first (tests/conftest.py): xdist would go by how many tests they have. The test in a browser is skipped where there
# is no Chromium. Types are checked by one of the tests, as that takes half a minute of one processor.
# Hundreds of processes compile nothing anew where bytecode is kept, whatever the shell says of it.
test: style
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# In a real browser; takes the pictures of the documentation, too.
e2e: setup
	PICTURES=docs/images $(BIN)/pytest tests/test_browser.py tests/test_reading_page.py tests/test_report.py

# The documentation as a site, in build/site; a broken link ends it. The variable leaves out a theme's advertisement.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: style
	$(BIN)/mypy

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

hostile: setup
	PYTHONPATH=tests $(BIN)/python -m hostile
	test "$$(id -u)" != 0 || PYTHONPATH=tests $(BIN)/python -m hostile --ordinary

faults: setup
	PYTHONPATH=tests $(BIN)/python -m hostile.faults

# 300 hand in within a minute while the watcher is killed again and again.
rush: setup
	PYTHONPATH=tests $(BIN)/python -m hostile.rush

soak: setup
	PYTHONPATH=tests $(BIN)/python tests/soak.py

# Every labelled answer, in a notebook of its own; `make test` takes a share of them, several to a notebook. After a
# change of hidden tests.
answers: setup
	EVERY_ANSWER=1 $(BIN)/pytest --numprocesses logical tests/test_answers.py tests/test_ask.py -k answer

mutants: setup
	$(BIN)/python tests/mutants.py

# A real JupyterHub on this machine, with users of its own for as long as it runs: needs root and node.
hub: setup
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[hub]'
	npm install --no-audit --no-fund --silent --prefix build/proxy configurable-http-proxy@5
	HUB=1 $(BIN)/pytest tests/test_hub.py

# With a gradebook on a PostgreSQL server of its own; the server's programs must be installed.
postgresql: setup
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[postgresql]'
	POSTGRESQL=1 $(BIN)/pytest tests/test_postgresql.py

bench: setup
	$(BIN)/python benchmarks/against_stock.py
	$(BIN)/python benchmarks/whole_class.py
	$(BIN)/python benchmarks/the_day.py
	$(BIN)/python benchmarks/busy.py
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/reading_by_hand.py
	$(BIN)/python benchmarks/report_and_exports.py

# Known weaknesses of the pinned packages, by pypi.org's advisories: needs the internet, and says so where
# they cannot be had.
audit: setup
	$(PYTHON) -m venv build/audit
	build/audit/bin/pip install --quiet pip-audit
	build/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

# A class of 2,000, two assignments at once, a slow disk and kills: half an hour, and it needs a C compiler.
scale: setup
	$(BIN)/python benchmarks/scale.py

# Tries another torch, such as VERSION=2.15.0, in an environment beside this one, whatever the pin says. Its wheel is
# large, so this is not a part of `make test`.
OTHER := build/torch-$(VERSION)
torch: setup
	@test -n "$(VERSION)" || { echo "say which: make torch VERSION=2.15.0"; exit 1; }
	$(PYTHON) -m venv $(OTHER)
	grep -v '^torch==' constraints.txt > $(OTHER)/others.txt
	$(OTHER)/bin/pip install --quiet --constraint $(OTHER)/others.txt \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) 'torch==$(VERSION)'
	$(OTHER)/bin/pip install --quiet --no-deps --requirement $(OTHER)/others.txt
	$(OTHER)/bin/pip install --quiet --no-deps --editable .
	$(OTHER)/bin/pytest tests/test_accelerator.py tests/test_student.py tests/test_handles.py tests/test_sandbox.py

clean:
	rm -rf $(VENV) build *.egg-info
