# `make demo` and `make test` are all a newcomer needs; both install what is missing first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A package index that serves torch's CPU build: see README.
TORCH_INDEX ?=

.PHONY: setup lab demo test e2e docs hostile faults soak mutants postgresql lint bench clean

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/pip install --quiet --constraint constraints.txt --index-url $(TORCH_INDEX) torch)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[development]'
	touch $@

lab: setup
	$(BIN)/proctor lab

demo: setup
	$(BIN)/python tests/demo.py

# The files in their order, as the longest have few tests. The test in a browser is skipped where there
# is no Chromium.
test: setup lint
	$(BIN)/pytest --numprocesses logical --dist loadfile --no-loadscope-reorder

# In a real browser; takes the pictures of the documentation, too.
e2e: setup
	PICTURES=docs/images $(BIN)/pytest tests/test_browser.py

# The documentation as a site, in build/site; a broken link ends it.
docs: setup
	$(BIN)/mkdocs build --strict

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

hostile: setup
	PYTHONPATH=tests $(BIN)/python -m hostile

faults: setup
	PYTHONPATH=tests $(BIN)/python -m hostile.faults

soak: setup
	PYTHONPATH=tests $(BIN)/python tests/soak.py

mutants: setup
	$(BIN)/python tests/mutants.py

# With a gradebook on a PostgreSQL server of its own; the server's programs must be installed.
postgresql: setup
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[postgresql]'
	POSTGRESQL=1 $(BIN)/pytest tests/test_postgresql.py

bench: setup
	$(BIN)/python benchmarks/against_stock.py
	$(BIN)/python benchmarks/whole_class.py

clean:
	rm -rf $(VENV) build *.egg-info
