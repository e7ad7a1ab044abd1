# The two commands that set everything up on a fresh machine are `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VIDEO ?= examples/media/sample.mp4

RUNS ?= runs
LIVE ?= ../shared/data/live_challenge
CLIPS ?=

.PHONY: demo test check opinions nano format clean

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

# From the sources to the weights of nano: docs/nano-training.md. CLIPS=folder adds real clips. With
# smaller numbers, and fewer steps by NANO_SET, a trial tells within an hour whether all of it works.
# Folders are drawn from with the square root of their size: so a sixth of all is drawn.
NANO_DRAWN ?= 60
NANO_STILLS ?= 12000
NANO_FURTHER_STILLS ?= 7000
NANO_COPIES ?= 2800
NANO_CLIPS ?= 2400
NANO_CLIP_COPIES ?= 1000
NANO_REAL_CLIP_COPIES ?= 640
comma := ,
NANO_SET ?=
HAS_LIVE := $(wildcard $(LIVE)/mos.csv)
NANO_SOURCES = --sources $(RUNS)/wallpapers --sources $(RUNS)/drawn \
	$(if $(HAS_LIVE),$(RATED_SOURCES)) $(if $(CLIPS),--sources $(CLIPS)) \
	--max-height 1080 --gray-share 0.06 --workers 2
NANO_COPIED_CLIPS = $(BIN)/finevq data synthesize $(RUNS)/clip-copies --copies 7 --count $(NANO_CLIP_COPIES) \
	--seed 14 --sources $(RUNS)/drawn $(if $(CLIPS),--sources $(CLIPS),--sources $(RUNS)/wallpapers) \
	--no-scikit-image --max-height 1080 --gray-share 0.06 --workers 2
# What moves by itself once more.
NANO_COPIED_REAL_CLIPS = $(BIN)/finevq data synthesize $(RUNS)/real-clip-copies --copies 7 \
	--count $(NANO_REAL_CLIP_COPIES) --seed 15 --sources $(CLIPS) --no-scikit-image --max-height 1080 --workers 2
RATED = --sources $(LIVE)/images --mos-csv $(LIVE)/mos.csv --rated-folds
RATED_SOURCES = $(RATED) 2,3,4
# All photographs that may teach, good or bad: nano learns from more scenes, and is not judged on them.
NANO_MAKE_FURTHER_STILLS = $(BIN)/finevq data synthesize $(RUNS)/further-stills --stills \
	--count $(NANO_FURTHER_STILLS) --seed 21 $(RATED) 1,2,3,4 --keep-share 1 --no-scikit-image \
	--max-height 1080 --gray-share 0.03 --workers 2
FURTHER_STILLS = --set 'data.further_stills=["$(RUNS)/further-stills/manifest.jsonl"]'

# A folder that was asked for and is not there is a mistake; the default may be missing.
opinions:
	@test -n "$(HAS_LIVE)" -o "$(origin LIVE)" = file || { \
		echo "LIVE=$(LIVE) has no mos.csv: give the folder that holds images/ and mos.csv," \
		"or no LIVE at all to train on known faults alone." >&2; exit 2; }

nano: opinions $(VENV)/dev
	$(BIN)/finevq data fetch-wallpapers $(RUNS)/wallpapers
	$(BIN)/finevq data draw $(RUNS)/drawn --count $(NANO_DRAWN) --workers 2
	$(BIN)/finevq data synthesize $(RUNS)/stills --stills --count $(NANO_STILLS) --seed 11 $(NANO_SOURCES)
	$(if $(HAS_LIVE),$(NANO_MAKE_FURTHER_STILLS))
	$(BIN)/finevq data synthesize $(RUNS)/copies --stills --copies 7 --count $(NANO_COPIES) --seed 13 $(NANO_SOURCES)
	$(BIN)/finevq data synthesize $(RUNS)/clips --count $(NANO_CLIPS) --seed 12 $(NANO_SOURCES)
	$(NANO_COPIED_CLIPS)
	$(if $(CLIPS),$(NANO_COPIED_REAL_CLIPS))
	$(BIN)/finevq train nano --config recipes/nano.toml --output $(RUNS)/nano \
		$(if $(HAS_LIVE),--set data.human=$(LIVE) $(FURTHER_STILLS)) --set data.manifest=$(RUNS)/clips/manifest.jsonl \
		--set 'data.stills=["$(RUNS)/stills/manifest.jsonl"]' \
		--set data.copies=$(RUNS)/copies/manifest.jsonl \
		--set 'data.clip_copies=["$(RUNS)/clip-copies/manifest.jsonl"$(if $(CLIPS),$(comma) "$(RUNS)/real-clip-copies/manifest.jsonl")]' \
		--set data.cache=$(RUNS)/features \
		$(foreach choice,$(NANO_SET),--set $(choice))

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache report.html
