#!/bin/sh
# Writes both lock files anew from pyproject.toml. Pins stay as they are unless they must move; `--upgrade` moves them all.
set -eu

cd "$(dirname "$0")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT INT TERM
.venv/bin/python -m venv "$tools"
"$tools/bin/python" -m pip --quiet --disable-pip-version-check install "uv>=0.9"

# One file for every Python from 3.11 and every platform, wheels only, and no word about where they came from.
compile() {
  "$tools/bin/uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 --only-binary :all: --generate-hashes \
    --no-header --no-emit-index-url --no-emit-find-links --annotation-style line "$@"
}
compile --group build --extra tracing --output-file requirements.lock "$@"
compile --group build --group dev --extra tracing --constraint requirements.lock --output-file requirements-dev.lock "$@"
sed -i.old -e 's/, -c requirements.lock//' -e 's/-c requirements.lock, //' requirements-dev.lock
rm -f requirements-dev.lock.old
