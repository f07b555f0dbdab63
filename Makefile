# Everything happens in .venv and .demo of this folder. Paths are relative, so the folder's own name may hold spaces.
#   make demo            the main job on a real Airflow, with real data   (KEEP=1 leaves it running)
#   make test            the tests                                        (ARGS='-k ledger' goes to pytest)
#   WORKERS=2            how many processes the tests run in, 4 if nothing is said; 0 is one, in which a debugger works
#   PYTHON=python3.12    the Python to build .venv with; without it the first of 3.10 to 3.13 that is found

.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:
SHELL := /bin/sh

PYTHON ?=
KEEP ?=
ARGS ?=
WORKERS ?= 4
CELLS ?=

LOCK := requirements/reference.txt
LOCK14 := requirements/sqlalchemy14.txt
BIN := .venv/bin
UV := $(BIN)/uv
# The tests of a file stay together, as those of a whole Airflow build on each other. By itself xdist would begin with the
# files of the most tests, and with the few of a whole Airflow at the end, when nothing is left to be done beside them.
PYTEST := -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
INSTALL := $(UV) pip install --python $(BIN)/python
# What uses SQLAlchemy; `core` and `config` do not, and import-linter holds them to that.
TESTS14 := tests/test_drivers.py tests/warehouse tests/store tests/usecases tests/cli

# A machine may forbid writing bytecode; then each of Airflow's processes would compile all of Airflow anew.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help venv demo demo-stop test test-sqlalchemy14 matrix support bench lint build lock clean

help:  ## what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-26s %s\n", $$1, $$2 }'

venv: .venv/stamp-dev  ## .venv with everything for working on the project

demo: .venv/stamp-demo  ## the main job on a real Airflow with real data; KEEP=1 leaves it running
	@$(BIN)/python -m demo.run $(if $(filter-out 0 no false,$(KEEP)),--keep)

demo-stop: .venv/stamp-demo  ## stops what `make demo KEEP=1` left running
	@$(BIN)/python -m demo.run --stop

test: .venv/stamp-dev  ## the tests; ARGS goes to pytest
	$(BIN)/python $(PYTEST) $(ARGS)

test-sqlalchemy14: .venv-sqlalchemy14/stamp  ## the tests that need no Airflow, on SQLAlchemy 1.4
	.venv-sqlalchemy14/bin/python $(PYTEST) $(TESTS14) $(ARGS)

matrix: .venv/stamp-dev  ## what touches Airflow, on every supported release; CELLS='2.9.3 3.0.6' takes some
	$(BIN)/nox $(if $(CELLS),--session $(addprefix airflow-,$(CELLS))) $(if $(ARGS),-- $(ARGS))

support: .venv/stamp-dev  ## the table in docs/support.md, of what was found on each release
	$(BIN)/python -m tests.compat.support --render

bench: .venv/stamp-dev  ## the benchmarks: each beside the least it could cost
	$(BIN)/python -m tests.benchmarks.profile_flights
	$(BIN)/python -m tests.benchmarks.parse_and_plan
	$(BIN)/python -m tests.benchmarks.ledger_load
	$(BIN)/python -m tests.benchmarks.against_baselinr

lint: .venv/stamp-dev  ## ruff, mypy and the contract between the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

build: .venv/stamp-uv  ## wheel and source distribution in dist/
	$(UV) build --quiet --python $(BIN)/python --out-dir dist .

lock: .venv/stamp-uv  ## resolves requirements/*.txt anew, to the newest versions
	@for set in reference sqlalchemy14; do \
	  case $$set in \
	    reference) args="--group demo --group test --group lint --group matrix requirements/reference.in" ;; \
	    sqlalchemy14) args="--group test --override requirements/without-airflow.in requirements/sqlalchemy14.in" ;; \
	  esac; \
	  $(UV) pip compile --quiet --upgrade --universal --python-version 3.10 --all-extras --no-emit-package profilemesh-airflow \
	    --custom-compile-command "make lock" --output-file requirements/$$set.txt pyproject.toml $$args || exit 1; \
	  echo "requirements/$$set.txt: $$(grep -c == requirements/$$set.txt) pins"; \
	done

clean:  ## removes everything that was made here
	@if test -f .demo/running.json && test -x $(BIN)/python; then $(BIN)/python -m demo.run --stop; fi
	rm -rf .venv .venv-sqlalchemy14 .nox .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp says that a step was finished: a half-made environment is made anew, a finished one is left alone.
.venv/stamp-uv:
	@python=$$(sh requirements/find-python "$(PYTHON)") || exit 1; \
	  echo "== .venv with $$("$$python" --version 2>&1)"; \
	  "$$python" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(LOCK) uv
	@touch $@

.venv/stamp-demo: .venv/stamp-uv pyproject.toml $(LOCK)
	@echo "== installing profilemesh-airflow, Airflow 3.3.2 and the demo's data into .venv"
	@$(INSTALL) --constraint $(LOCK) --editable . --group demo
	@touch $@

.venv/stamp-dev: .venv/stamp-uv pyproject.toml $(LOCK)
	@echo "== installing profilemesh-airflow, Airflow 3.3.2 and the tools for tests and lint into .venv"
	@$(INSTALL) --constraint $(LOCK) --editable '.[postgres]' --group demo --group test --group lint --group matrix
	@touch $@

.venv-sqlalchemy14/stamp: .venv/stamp-uv pyproject.toml $(LOCK14)
	@echo "== installing profilemesh-airflow without Airflow, with SQLAlchemy 1.4, into .venv-sqlalchemy14"
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-sqlalchemy14
	@$(UV) pip install --quiet --python .venv-sqlalchemy14/bin/python --requirement $(LOCK14)
	@$(UV) pip install --quiet --python .venv-sqlalchemy14/bin/python --no-deps --editable .
	@touch $@
