# Everything a newcomer needs is two commands: `make demo` and `make test`. Both set up first.
PY ?= python3
V := .venv
STAMP := $(V)/.stamp
TESTS ?=
SECONDS ?= 60

.PHONY: setup demo test test-pythons check proto sabotage conformance fuzz fuzz-check machines proxies

setup: $(STAMP)

$(STAMP): uv.lock pyproject.toml tools/setup
	@tools/setup $(PY) $(V)
	@touch $@

demo: setup
	@$(V)/bin/python -m tools.demo

test: setup
	$(V)/bin/python -m pytest $(TESTS)

test-pythons: setup
	@tools/test-pythons

check: setup
	$(V)/bin/ruff check .
	$(V)/bin/ruff format --check .
	$(V)/bin/mypy
	$(V)/bin/python -m pytest tests/architecture

sabotage: setup
	$(V)/bin/python tests/sabotage/run.py

conformance: setup
	@tools/conformance

# atheris (35 MB) is installed here and not by setup; where it does not install, the other engines share the time.
fuzz: setup
	@VIRTUAL_ENV=$(CURDIR)/$(V) $(V)/bin/uv sync -q --frozen --active --inexact --group fuzz || echo "fuzz: atheris does not install here"
	@$(V)/bin/python -m tests.fuzz.run --seconds $(SECONDS)

fuzz-check: setup
	@$(V)/bin/python -m tests.fuzz.check

# nftables and iproute2 for the tests between machines; they are skipped where these or root are missing.
machines:
	@tools/machines

proto: setup
	tools/proto

# nginx, HAProxy and tinyproxy, unpacked and not installed, for the tests through them; those are skipped where one is missing.
proxies:
	@tools/proxies
