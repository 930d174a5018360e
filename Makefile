# Set-up and the commands of the README. Everything installed here lies in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test environment lock format report published audit

# What `make audit` looks at.
PROFILE ?= profiles/lumi
TARGETS ?= all

demo: environment  ## the whole study in miniature, then its headline
	snakemake --profile profiles/laptop all
	@python workflow/scripts/show_results.py results/laptop

test: environment  ## lint, unit tests, and the studies end to end
	python -m pytest

report: environment  ## results/laptop/report.html, of a finished demo
	snakemake --profile profiles/laptop --report results/laptop/report.html

published: environment  ## Table 8 and Figure 3 from the published values alone
	snakemake --profile profiles/laptop published

audit: environment  ## what PROFILE and TARGETS would run, and what that costs
	@python workflow/scripts/audit.py --profile $(PROFILE) $(TARGETS)

environment: $(READY)

# torch comes first and by pip, because pip follows a configured source of the CPU build and uv does not: with torch 2.13.0 there,
# nothing else brings CUDA packages.
$(READY): envs/main.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with make PYTHON=…")'
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep ^torch== envs/main.txt)"
	@if command -v uv > /dev/null; then \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet -r envs/main.txt; \
	else \
		$(BIN)/pip install --quiet --disable-pip-version-check -r envs/main.txt; \
	fi
	touch $@

# The lock names torch without a build, so that any build of that version satisfies it.
lock:  ## remake envs/main.txt from envs/main.in (needs uv)
	uv pip compile --quiet --upgrade --no-emit-index-url --no-annotate --no-header envs/main.in \
		| sed -e 's/^\(torch==[0-9.]*\)+cpu/\1/' -e '/^nvidia-/d' -e '/^cuda-/d' -e '/^triton/d' > envs/main.txt.new
	mv envs/main.txt.new envs/main.txt

format: environment  ## rewrite the code in the project's format
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow/rules
