# make setup | demo | test | test-long | bench | check | docs | manual | locale | verifier
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
.PHONY: setup demo test test-long bench check docs manual locale verifier fmt

setup: .venv/stamp

.venv/stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=... names one)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip -q
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/lotroom demo

test: setup
	tools/system_packages.sh
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=25

test-long: setup
	tools/system_packages.sh
	LONG=1 PYTEST_TIMEOUT=0 $(BIN)/pytest

bench: setup
	@mkdir -p dist
	test -x dist/peer/bin/python || $(BIN)/python -m bench --install-peer
	$(BIN)/python -m bench --json dist/bench.json --write docs/benchmarks.md $(if $(POOLS),--pools $(POOLS))

check: setup
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports >/tmp/lotroom-imports.$$$$ || { cat /tmp/lotroom-imports.$$$$; rm -f /tmp/lotroom-imports.$$$$; exit 1; }; rm -f /tmp/lotroom-imports.$$$$
	$(BIN)/python tools/check_spec.py
	$(BIN)/python tools/check_docs.py

docs: setup
	$(BIN)/python tools/make_docs.py
	$(BIN)/python tools/make_texts.py

manual: setup
	tools/system_packages.sh
	$(BIN)/python tools/make_manual.py

locale: setup
	$(BIN)/python tools/make_locale.py

verifier: setup
	$(BIN)/python tools/build_verifier.py
	$(BIN)/python tools/build_verify_page.py

fmt: setup
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .
