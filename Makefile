# The two commands that set everything up on a fresh machine are `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VIDEO ?= examples/media/sample.mp4

.PHONY: demo test check format clean

# The light core only: what a user installs.
$(VENV)/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

# Everything that development and CI use, at exact versions.
$(VENV)/dev: pyproject.toml constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/core
	$(BIN)/finevq assess "$(VIDEO)" --html report.html
	@echo "The same as a page: report.html"

test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

# The quick loop: format, lint, types, import contracts, fast tests.
check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 -q -m "not full and not gpu and not slow and not network"

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache report.html
