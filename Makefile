# The README's two commands, `make demo` and `make test`, do all the set-up on a fresh machine.

# The first Python that is new enough; name another with make PYTHON=/path/to/python.
PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,$(shell \
	$(python) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(python))))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

.PHONY: demo test bench check install dev debian screenshots docs lock format clean

demo: install
	$(BIN)/forewarn demo $(ARGS)

install: $(VENV)/.installed

# Everything is installed from the lock with hashes; the project itself without resolving anything anew.
$(VENV)/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "forewarn needs Python 3.11 or newer, and none was found; name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "forewarn needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) comes without its venv module; on Debian: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	touch $@

dev: $(VENV)/.dev-installed

$(VENV)/.dev-installed: requirements-dev.lock $(VENV)/.installed
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	touch $@

# Tools of the browser tests, from npm by its lock; nothing of them is shipped.
AXE := tests/browser/node_modules/.installed

$(AXE): tests/browser/package.json tests/browser/package-lock.json
	@command -v npm >/dev/null || deploy/debian-packages.sh npm
	npm ci --prefix tests/browser --silent --ignore-scripts
	touch $@

# Real servers and a real browser for the tests.
debian:
	@deploy/debian-packages.sh mosquitto rabbitmq-server chromium

# Daily use, under two minutes on a machine of one's own: format, lint, types, imports, quick tests.
check: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n 2 -m "not slow and not server and not browser and not data"

# Everything, the quick ones first. Without FOREWARN_DATA the tests that read it are skipped, and say so.
test: check debian $(AXE)
	$(BIN)/pytest -q -n 2 -m "slow and not server and not browser and not data"
	$(BIN)/pytest -q -rs -m "data"
	$(BIN)/pytest -q -rs -m "(server or browser) and not data"

# The pictures of the documentation, taken anew.
screenshots: dev debian
	FOREWARN_SCREENSHOTS=1 $(BIN)/pytest -q -m browser tests/browser -k pictures

# What stands in docs/ and is written by the code.
docs: install
	$(BIN)/python -m gateway.api.openapi > docs/openapi.json
	$(BIN)/python -m diagnostics.orders.schema > docs/service-order.schema.json
	$(BIN)/python -m diagnostics.faultspage > docs/faults.md
	$(BIN)/python docs/draw_lifecycle.py

# What it costs on this machine, beside other engines; docs/benchmarks.md. They need an environment of their own.
bench: $(VENV)-bench/.installed
	$(VENV)-bench/bin/forewarn bench rules $(ARGS)

$(VENV)-bench/.installed: requirements-bench.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements-bench.lock
	$(VENV)-bench/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
	touch $@

# All locks anew, from whatever index uv is configured for; its address does not stand in them.
lock: dev
	$(PIP) install --quiet uv
	$(UV) -o requirements.lock pyproject.toml deploy/build-requirements.in
	$(UV) --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml deploy/build-requirements.in
	$(UV) --extra bench -o requirements-bench.lock pyproject.toml deploy/build-requirements.in

format: dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(VENV)-bench build *.egg-info forewarn-data test-output
