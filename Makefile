# Every target sets up what it needs in .venv from nothing but python3 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INTEROP := .venv-interop
OLDEST := .venv-oldest
STAMP := $(VENV)/.installed
SOURCES := tracer exporters viewer samples tests benchmarks
WORKERS ?= 3
# Tests that `make check` leaves out, by their marks.
BUT ?=
# Programs in benchmarks/ that `make bench` runs, in this order.
BENCHMARKS := tracer_overhead tracer_memory import_cost store_load checkpoint_history exporters_speed viewer_latency store_queries
# Tests that lean on others' packages most; how the screens look is left to what is newest.
OLDEST_TESTS := tests/tracer tests/exporters tests/samples tests/conformance tests/viewer

# Set in many containers; the suite starts hundreds of processes, and each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check types covered format bench snapshots pictures interop oldest soak clean

# Python compiles a module when it is first imported, and most of what is installed never is.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q -U 'pip>=25.1'
	@$(BIN)/python -m pip install -q --no-compile -e '.[all]' --group dev -c constraints.txt
	@touch $@

demo: $(STAMP)  ## record the samples and open the viewer (no terminal: print the summary)
	@$(BIN)/flightlog demo

test: $(STAMP)  ## the test suite, without its slow tests
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m 'not soak and not interop and not slow'

check: $(STAMP)  ## format, lint, types, contracts, all tests with branch coverage
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory -j2 types covered  # mypy takes one core only

types: $(STAMP)
	@$(BIN)/mypy $(SOURCES)

covered: $(STAMP)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m 'not soak and not interop$(if $(BUT), and not ($(BUT)))' --cov --cov-report=term

format: $(STAMP)  ## apply the formatter and the safe fixes
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

bench: $(STAMP)  ## every benchmark, as ratios taken in one run
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done

snapshots: $(STAMP)  ## record the SVG snapshots anew; look at each before committing
	@$(BIN)/python -m pytest -q tests/snapshots --snapshot-update

$(INTEROP)/.installed: tests/interop/requirements.txt
	@test -x $(INTEROP)/bin/python || $(PYTHON) -m venv $(INTEROP)
	@$(INTEROP)/bin/python -m pip install -q -U 'pip>=25.1'
	@$(INTEROP)/bin/python -m pip install -q -r $<
	@touch $@

interop: $(STAMP) $(INTEROP)/.installed  ## spans in a real Phoenix, MLflow and ClickHouse, in an environment of their own
	@$(BIN)/python -m pytest -q tests/interop -m interop

# Only uv knows how to ask for the oldest of what pyproject.toml allows.
$(OLDEST)/.installed: pyproject.toml
	@test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	@$(OLDEST)/bin/python -m pip install -q -U uv
	@$(OLDEST)/bin/uv pip install -q -p $(OLDEST)/bin/python -U --resolution lowest-direct -e '.[all]' --group dev
	@touch $@

# What is deprecated by now was in order when those were new: no warning is an error here.
oldest: $(OLDEST)/.installed  ## the tests of what others' packages are used for, with the oldest that pyproject.toml allows
	@$(OLDEST)/bin/python -m pytest -q -n $(WORKERS) --dist worksteal -m 'not soak and not interop' \
		-o filterwarnings= $(OLDEST_TESTS)

pictures: $(STAMP)  ## take the pictures of the README and the docs from the samples
	@$(BIN)/python -m docs.pictures

soak: $(STAMP)  ## the long loops and sweeps that make test runs in small
	@$(BIN)/python -m pytest -q -m soak --timeout 3600

clean:
	rm -rf $(VENV) $(INTEROP) $(OLDEST) flightlog-demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage snapshot_report.html
