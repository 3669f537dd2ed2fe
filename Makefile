# Everything a newcomer needs is two commands: `make demo` and `make test`. Both set up first.
PY ?= python3
V := .venv
STAMP := $(V)/.stamp
TESTS ?=

.PHONY: setup demo test test-pythons check proto sabotage conformance

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

proto: setup
	tools/proto
