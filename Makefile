# `make demo` shows it, `make test` proves it, `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help demo test quick lint types imports bench scorecard limits simulate soak reliability fuzz audit docs compat lock clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

demo: .venv/run-installed  ## install what is needed into .venv and stress the faulty farm
	$(BIN)/tls-stress demo

test: .venv/dev-installed  ## all tests on all cores, with the real servers that can be installed
	scripts/servers nginx haproxy openssl curl tshark faketime
	$(BIN)/python -m pytest -n auto --dist worksteal \
		-o faulthandler_timeout=180 -o faulthandler_exit_on_timeout=true

quick: .venv/dev-installed  ## the tests that take an instant each
	$(BIN)/python -m pytest -m 'not slow and not real'

lint: .venv/dev-installed  ## style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/dev-installed  ## types, strict
	$(BIN)/mypy

imports: .venv/dev-installed  ## who may import whom
	$(BIN)/lint-imports

bench: .venv/dev-installed  ## the measured claims; writes docs/benchmarks.md
	scripts/servers nginx openssl ab=apache2-utils hey wrk
	$(BIN)/python -m benchmarks

scorecard: .venv/dev-installed  ## every fault of the lab, found or not; writes docs/scorecard.md
	$(BIN)/python -m benchmarks.scorecard

limits: .venv/dev-installed  ## two limits that are known, searched for ten times each; writes docs/limits.md
	$(BIN)/python -m benchmarks.limits

simulate: .venv/dev-installed  ## what the statistics claim, counted in simulated worlds; writes docs/simulations.md
	$(BIN)/python -m benchmarks.simulate

soak: .venv/dev-installed  ## a million handshakes through a farm that changes; half an hour
	$(BIN)/python -m benchmarks.soak

reliability: .venv/dev-installed  ## the tests of every promise; writes docs/reliability.md
	$(BIN)/python -m scripts.reliability

fuzz: .venv/dev-installed  ## ten minutes of damaged records and certificates each
	$(BIN)/python -m pip install --quiet 'atheris>=3'
	$(BIN)/python -m tests.fuzz records -max_total_time=600
	$(BIN)/python -m tests.fuzz certificates -max_total_time=600

audit: .venv/dev-installed  ## known vulnerabilities in what is locked (needs the network)
	$(BIN)/python -m pip install --quiet 'pip-audit>=2.7'
	$(BIN)/pip-audit --strict --requirement requirements.lock

docs: .venv/dev-installed  ## the reference from the code, then all pages as a site in site/
	$(BIN)/python -m scripts.reference
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs site

compat:  ## the oldest and newest Python and libraries, and OpenSSL alone (needs uv)
	scripts/compat

lock:  ## pin the newest versions of everything (needs uv)
	scripts/lock

clean:  ## forget .venv and caches; run files stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache site

.venv/run-installed: requirements.lock pyproject.toml
	scripts/install requirements.lock
	@touch $@

.venv/dev-installed: requirements-dev.lock pyproject.toml
	scripts/install requirements-dev.lock
	@touch $@ .venv/run-installed
