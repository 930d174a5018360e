# Set-up and the commands of the README. Everything installed here lies in .venv and, for NeMo, in .venv-nemo.

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: demo test environment environment-nemo lock format report published audit

# What `make audit` looks at.
PROFILE ?= profiles/lumi
TARGETS ?= all

demo: environment  ## the whole study in miniature, then its headline
	snakemake --profile profiles/laptop all
	@python workflow/scripts/show_results.py results/laptop

test: environment environment-nemo  ## lint, unit tests, and the studies end to end
	python -m pytest

report: environment  ## results/laptop/report.html, with what the study took
	snakemake --profile profiles/laptop audit
	snakemake --profile profiles/laptop --report results/laptop/report.html all audit

published: environment  ## Table 8 and Figure 3 from the published values alone
	snakemake --profile profiles/laptop published

audit: environment  ## what PROFILE and TARGETS would run, and what that costs
	@python workflow/scripts/audit.py --profile $(PROFILE) $(TARGETS)

environment: .venv/ready  ## what all commands here need

environment-nemo: .venv-nemo/ready  ## what pre-training with NeMo needs

.venv/ready: envs/main.txt
.venv-nemo/ready: envs/nemo.txt

# torch comes first and by pip, because pip follows a configured source of the CPU build and uv does not: with torch 2.13.0 there,
# nothing else brings CUDA packages.
.venv/ready .venv-nemo/ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with make PYTHON=…")'
	test -d $(@D) || $(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check "$$(grep ^torch== $<)"
	@if command -v uv > /dev/null; then \
		VIRTUAL_ENV=$(@D) uv pip install --quiet -r $<; \
	else \
		$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<; \
	fi
	touch $@

# The locks name torch without a build, so that any build of that version satisfies them.
lock:  ## remake envs/main.txt and envs/nemo.txt from the .in beside them (needs uv)
	for name in main nemo; do \
		uv pip compile --quiet --upgrade --no-emit-index-url --no-annotate --no-header envs/$$name.in \
			| sed -e 's/^\(torch==[0-9.]*\)+cpu/\1/' -e '/^nvidia-\(cu\|nv\|nccl\)/d' -e '/^cuda-/d' -e '/^triton/d' > envs/$$name.txt.new \
			&& mv envs/$$name.txt.new envs/$$name.txt || exit 1; \
	done

format: environment  ## rewrite the code in the project's format
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow/rules
