# The one door to this house.  `make` alone lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
WORKERS ?= auto

.PHONY: help run demo test lint format e2e e2e-all operating e2e-bluetooth kill-campaign filing-campaign capture-campaign cut-campaign soak simulate routing blackout trace thousand mutations bench bench-peers check clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	@PYTHON="$(PYTHON)" VENV="$(VENV)" tests/tools/make_environment
	@touch $@

run: $(STAMP)  ## Start a relay on this machine
	@PATH="$(CURDIR)/$(BIN):$$PATH" tests/tools/run_relay

demo: $(STAMP)  ## Show a dispatch travelling from a reporter to a desk, in under two minutes
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.demo

test: $(STAMP)  ## Run the tests (no root, no network)
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m "not e2e and not slow"

lint: $(STAMP)  ## Style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)  ## Put the code in the house's shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

e2e: $(STAMP)  ## Real daemons in network namespaces (root), the fast ones
	@tests/tools/want_packages ip:iproute2 faketime:faketime tcpdump:tcpdump nft:nftables
	@$(BIN)/python -m pytest -q -m "e2e and not slow" tests/e2e

e2e-all: $(STAMP)  ## Every end-to-end test, the long ones too (root)
	@tests/tools/want_packages ip:iproute2 faketime:faketime tcpdump:tcpdump nft:nftables
	@$(BIN)/python -m pytest -q -m e2e tests/e2e

operating: $(STAMP)  ## Set up a collector by the blocks of docs/operating.md, in a fresh Debian under systemd (root)
	@tests/tools/want_packages ip:iproute2 nft:nftables debootstrap:debootstrap systemd-nspawn:systemd-container
	@$(BIN)/python -m pytest -q -s -m e2e tests/e2e/test_operating.py

e2e-bluetooth: $(STAMP)  ## Two daemons and a real BlueZ in a virtual machine (root; skips where there is none); LIGHT=1
	@$(BIN)/python -m pytest -q -m "e2e$(if $(LIGHT), and not slow)" tests/bluetooth

kill-campaign: $(STAMP)  ## SIGKILL every daemon at random moments; KILLS=100 of each by default (root)
	@$(BIN)/python -m tests.e2e.kill_campaign --kills $(or $(KILLS),100)

filing-campaign: $(STAMP)  ## SIGKILL commands and daemons while dispatches are filed; FILINGS=100 by default (root)
	@$(BIN)/python -m tests.e2e.filing_campaign --filings $(or $(FILINGS),100)

capture-campaign: $(STAMP)  ## Record a network and try to link its machines across epochs; MINUTES=10 (root)
	@tests/tools/want_packages ip:iproute2 tcpdump:tcpdump
	@$(BIN)/python -m tests.e2e.capture_campaign --minutes $(or $(MINUTES),10)

cut-campaign: $(STAMP)  ## Cut sessions at every one of their bytes; SEEDS=4 sessions by default, which take hours
	@$(BIN)/python -m tests.sim.cut_campaign --seeds 1:$(or $(SEEDS),4)

soak: $(STAMP)  ## Random weeks of a small desk, and a tenth as many city days; SEEDS=100
	@$(BIN)/python -m tests.sim.campaign --seeds 1:$(or $(SEEDS),100)
	@$(BIN)/python -m tests.sim.city_campaign --seeds 1:$$(( ($(or $(SEEDS),100) + 9) / 10 ))

# What is played: PLAN=FILE, else the blackout of January 2022 where its plan is at hand.
PLAN ?= $(firstword $(wildcard ../shared/scenario/blackout-2022.json) docs/plans/relay.json)

simulate: $(STAMP)  ## Replay a contact plan with whole nodes; table, rows and picture under build/
	@mkdir -p build
	@rm -f build/simulate.svg build/simulate.json
	@set -o pipefail; $(BIN)/meshnews simulate "$(PLAN)" --svg build/simulate.svg --rows build/simulate.json \
	  | tee build/simulate.txt

routing: $(STAMP)  ## Flooding and spray-and-focus side by side on city days; SEEDS=2
	@mkdir -p build
	@set -o pipefail; $(BIN)/python -m tests.sim.routing_campaign --seeds 1:$(or $(SEEDS),2) \
	  | tee build/routing.txt
BLACKOUT ?= ../shared/scenario/blackout-2022.json

blackout: $(STAMP)  ## The blackout of January 2022 in every variant; fails where one is late; LIGHT=1, ONLY=name
	@mkdir -p build
	@set -o pipefail; $(BIN)/python -m tests.sim.blackout "$(BLACKOUT)" --svg build/blackout.svg \
	  $(if $(LIGHT),--light) --only "$(ONLY)" | tee build/blackout.md

trace: $(STAMP)  ## A recorded trace of contacts beside what flooding brings; TRACE=file
	@$(BIN)/python -m tests.sim.trace_campaign "$(TRACE)"

thousand: $(STAMP)  ## A day of a thousand whole nodes: what comes, CPU and memory
	@$(BIN)/python -m tests.sim.thousand

mutations: $(STAMP)  ## Break the code on purpose, piece by piece: each time a test has to notice
	@$(BIN)/python -m tests.mutation

bench: $(STAMP)  ## Measure, print and write build/bench.json
	@mkdir -p build
	@$(BIN)/python -m tests.bench

bench-peers: $(STAMP)  ## Measure beside NNCP (root, apt-get install nncp; PEERS=folder of its script, RUNS=3)
	@mkdir -p build
	@PEERS="$(or $(PEERS),../shared/peers)" RUNS="$(or $(RUNS),3)" $(BIN)/python -m tests.bench.peers

check: lint test e2e  ## What has to pass before a change lands

clean:  ## Remove what was built
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
