# make demo and make test do all their own set-up; they need Python 3.11 or later, and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN = .venv/bin

.PHONY: setup demo check test test-all bench fuzz studies docs lock clean

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

demo: setup
	$(BIN)/striate demo

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_imports.py

test: setup
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 8 --dist worksteal

test-all: setup
	$(BIN)/python -m pytest

bench: setup
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

# Opens nearly valid files for some minutes, and counts what is contained.
MINUTES ?= 10

fuzz: setup
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

# Runs the short form of every study, and goes on where it stopped; those that need more images than scikit-learn's digits
# take them from ../shared/data where that is.
SHARED_DATA = $(if $(wildcard ../shared/data),--data ../shared/data)

studies: setup
	$(BIN)/striate study --all --output runs/studies $(SHARED_DATA)
	$(BIN)/python docs/studies.py runs/studies

docs: setup
	$(BIN)/sphinx-build --quiet --fail-on-warning docs docs/_build
	@echo "docs/_build/index.html"

# Writes requirements.lock anew, from the newest releases that pyproject.toml allows. torch is named first and exactly:
# a looser request takes builds of several gigabytes.
lock:
	rm -rf .lock
	$(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet --upgrade pip
	.lock/bin/python -m pip install --quiet torch==2.13.0
	.lock/bin/python -m pip install --quiet --group dev --group docs .
	{ echo "# Made by make lock."; .lock/bin/python -m pip freeze | grep -v '^striate ' | sed 's/+cpu$$//'; } > requirements.lock
	rm -rf .lock

clean:
	rm -rf .venv .lock docs/_build
