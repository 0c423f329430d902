# make up | test | test-freeswitch | check | clients | browser | openapi | bench | chaos | fuzz; each does its own set-up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
MINUTES ?= 5
SEED   ?= 1
# Scenarios that measure when something happens, some while they load the machine: nothing runs beside them.
ALONE  := $(addprefix tests/scenarios/,test_connections.py test_calls_per_second.py test_crashes.py test_nodes.py \
  test_tenants.py test_trunk_crashes.py)

.PHONY: up test test-freeswitch check coverage clients browser openapi bench chaos fuzz clean

up: $(READY)
	@$(BIN)/orchestrator up

test: $(READY)
	$(BIN)/pytest -q -n 2 --reruns 1 -rfER tests/unit
	$(BIN)/pytest -q -n 2 --dist loadfile --reruns 1 -rfER $(addprefix --ignore=,$(ALONE)) tests/scenarios
	$(BIN)/pytest -q --reruns 1 -rfER $(ALONE)

# What the real switch says is recorded anew; a line that differs is a change of its, or of the scripts.
test-freeswitch: $(READY)
	REQUIRE_FREESWITCH=1 $(BIN)/pytest -q tests/scenarios
	$(BIN)/python -m tests.transcripts.record
	git --no-pager diff --stat -- tests/transcripts orchestrator/sandbox/recorded.json

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.lint_lua

# Of the unit tests alone, by lines and branches; and the slowest of them. Processes that tests start are not counted.
coverage: $(READY)
	$(BIN)/pytest -q -n 2 --durations=15 --cov --cov-report=term tests/unit

# The whole life of a conference with the SDKs that people have; needs npm.
clients: $(READY)
	$(PYTHON) -m venv var/clients/py6
	var/clients/py6/bin/pip install --quiet --disable-pip-version-check signalwire==2.1.1 twilio==6.54.0
	npm install --silent --no-audit --no-fund --prefix var/clients/node twilio@6.3.1 @signalwire/compatibility-api@3.2.0
	$(BIN)/pytest -q tests/scenarios/test_clients.py

# The console in a real browser, and axe's look at it; needs npm, and chromium on the PATH.
browser: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check playwright==1.65.2
	npm install --silent --no-audit --no-fund --prefix var/browser axe-core@4.14.1
	$(BIN)/pytest -q tests/scenarios/test_console.py

# 5,000 random requests drawn from the OpenAPI document.
openapi: $(READY)
	OPENAPI_REQUESTS=5000 $(BIN)/pytest -q -s --timeout=3600 tests/unit/dialects/test_openapi.py

bench: $(READY)
	$(BIN)/python -m tests.bench

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.11 to 3.13 is needed; name one with make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	  || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

chaos: $(READY)
	$(BIN)/python -m tests.chaos
	$(BIN)/python -m tests.chaos.nodes

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES) --seed $(SEED)

clean:
	rm -rf $(VENV) var build
