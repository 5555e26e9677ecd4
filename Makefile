# make demo    sets everything up in .venv and shows tamiz at work
# make test    sets everything up in .venv and runs the tests
# make check   what CI checks beside the tests: style, types, imports, generated files, the examples in the documents
# make bench   measures, side by side with a peer or a limit
# make fuzz    feeds damaged inputs to every reader (COUNT=2000 each)
#
# Nothing is installed outside .venv, and nothing is read from or written to the home directory.

.PHONY: demo test check bench fuzz golden clean
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

export PIP_CACHE_DIR := $(CURDIR)/.venv/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONNOUSERSITE := 1
export RUFF_CACHE_DIR := $(CURDIR)/.venv/.cache/ruff
export MYPY_CACHE_DIR := $(CURDIR)/.venv/.cache/mypy

demo: .venv/.base
	@tools/demo

test: .venv/.dev
	.venv/bin/python -m pytest $(ARGS)

check: .venv/.dev
	@tools/check $(ARGS)

bench: .venv/.dev
	.venv/bin/python -m benchmarks $(ARGS)

FUZZ ?= $(notdir $(basename $(shell grep -ls '^def target' fuzz/*.py)))
COUNT ?= 2000

fuzz: .venv/.dev
	@for target in $(FUZZ); do .venv/bin/python -m fuzz.mutate $$target --count $(COUNT) $(ARGS) || exit 1; done

golden: .venv/.dev
	@tools/update_golden

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "tamiz needs Python 3.11 or newer; try: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.base: pyproject.toml | .venv/bin/python
	.venv/bin/python -m pip install --quiet --editable .
	@touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	.venv/bin/python -m pip install --quiet --editable '.[dev]'
	@touch $@ .venv/.base
