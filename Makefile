# make run   runs the sandbox and the keeper (make run ARGS="--for 40s --json")
# make test  formats, lints, types, import contracts, program rebuild, tests
# make serve opens the reward ledger in Datasette
# make drills rehearses every outage (make drills DRILLS=total-outage: one)
# All do all their own set-up; make setup alone builds .venv.

PYTHON ?= python3
ARGS ?=
DRILLS ?= all
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test setup serve clients lock drills bench program clean

run: .venv/.installed
	@$(BIN)/keeper run $(ARGS)

test: .venv/.installed-test clients
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term $(ARGS)

setup: .venv/.installed-test

serve: .venv/.installed-serve
	@$(BIN)/incentives serve $(ARGS)

drills: .venv/.installed
	@$(BIN)/keeper drill run $(DRILLS) $(ARGS)

bench: .venv/.installed-test
	$(BIN)/python -m bench $(ARGS)

program: .venv/.installed-test
	$(BIN)/python -m programs.betting_platform.build

# A newcomer who only runs the keeper never downloads the compiler.
.venv/.installed: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (once)" >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.installed-serve: .venv/.installed requirements-serve.lock
	@$(PIP) install --require-hashes -r requirements-serve.lock
	@touch $@

.venv/.installed-test: .venv/.installed requirements-test.lock
	@$(PIP) install --require-hashes -r requirements-test.lock
	@touch $@

# Other people's Solana clients, which the local network must pass as real to. Without npm their tests are skipped.
CLIENTS := tests/clients/node_modules/.package-lock.json
clients:
	@if ! command -v npm >/dev/null; then echo "npm is not installed: the tests of JavaScript clients are skipped" >&2; \
	elif [ $(CLIENTS) -nt tests/clients/package-lock.json ]; then :; \
	else npm --prefix tests/clients ci --ignore-scripts --no-audit --no-fund --loglevel=error \
	|| echo "npm cannot install tests/clients: the tests of JavaScript clients are skipped" >&2; fi

lock:
	uv pip compile pyproject.toml --group install --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements.lock
	uv pip compile pyproject.toml --group install --extra serve --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -c requirements.lock -o requirements-serve.lock
	uv pip compile pyproject.toml --group install --extra serve --group test --group build-program --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -c requirements-serve.lock -o requirements-test.lock

clean:
	rm -rf .venv var build dist tests/clients/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
