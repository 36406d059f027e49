# For developers. The README's two commands need neither make nor this file.

.PHONY: check lint test fmt clean

check: lint test

lint: .venv/ready
	.ci/lint

test: .venv/ready
	.venv/bin/pytest

fmt: .venv/ready
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

.venv/ready: pyproject.toml requirements-dev.txt
	python3 -m venv .venv
	.venv/bin/pip install -q -e . -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv .typing .hypothesis .pytest_cache .mypy_cache .ruff_cache build dist *.egg-info
