# Every target does its own set-up in .venv, with pip and the exact versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
TEST := $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: study test test-further test-all check faults coverage bench bench-small docs lines clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "relearn needs Python 3.11 or later; run: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[development]'
	touch $(READY)

study: $(READY)  ## the paper's synthetic experiment, with its report
	$(BIN)/relearn run names --study studies/names
	$(BIN)/relearn report studies/names

test: $(READY)  ## a part of everything, in ten minutes on two cores
	$(TEST) -m 'not slow and not further'

test-further: $(READY)  ## more of the same kinds, in ten minutes: CI runs both
	$(TEST) -m 'further and not slow'

test-all: faults  ## everything, the slow ones and all faults included: hours
	$(BIN)/python -m pytest -m 'slow or not slow' --ignore tests/faults --ignore tests/cluster/test_judge_server.py

coverage: $(READY)  ## which lines the tests of CI run, by module
	$(TEST) --cov --cov-report term

faults: $(READY)  ## every fault on real processes, and a judge that is killed; writes the table of docs/RELIABILITY.md
	$(BIN)/python -m pytest tests/faults tests/cluster/test_judge_server.py -m 'slow or not slow' --faults-table docs/RELIABILITY.md

bench: $(READY)  ## beside plain Ray Tune on the same cells; MODEL=FOLDER adds a pretrained model; writes docs/PERFORMANCE.md
	$(BIN)/python -m benchmarks --write $(if $(MODEL),--model $(MODEL))

bench-small: $(READY)  ## the same at its smallest size, in a minute
	$(BIN)/python -m benchmarks --smallest --results build/benchmarks-smallest

check: $(READY)  ## the one development loop
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

docs: $(READY)  ## the pages of docs/ as a site, with sample reports: build/site/index.html
	$(BIN)/python docs/house.py --write
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo build/site/index.html

lines:  ## how many lines the product, its tests and its benchmarks have
	@echo "product    $$(git ls-files -- '*.py' '*.jinja' '*.css' '*.js' | grep -vE '^(tests|benchmarks|docs)/' | xargs cat | wc -l)"
	@echo "tests      $$(git ls-files -- 'tests/*.py' | xargs cat | wc -l)"
	@echo "benchmarks $$(git ls-files -- 'benchmarks/*.py' | xargs cat | wc -l)"

clean:
	rm -rf .venv build *.egg-info
