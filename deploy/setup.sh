#!/bin/sh
# Makes .venv ready: `deploy/setup.sh runtime` for running the product, `deploy/setup.sh dev` for working on it.
# Needs Python 3.11 or newer (the PYTHON variable names one) and nothing else. Does nothing when nothing has changed.
set -eu

kind=${1:-runtime}
case $kind in
  runtime) lock=requirements.lock ;;
  dev) lock=requirements-dev.lock ;;
  *) echo "usage: deploy/setup.sh [runtime|dev]" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/.."
root=$(pwd -P)
venv=$root/.venv
cut_short=$venv/.setup-under-way # there while pip works: found at the start, the last set-up was killed

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

# --- which Python -------------------------------------------------------------------------------------------------

runs() { [ "$("$1" -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)" = True ]; }
makes_venvs() { "$1" -c 'import ssl, venv, ensurepip; ensurepip.version()' >/dev/null 2>&1; }

# The newest that can make a virtual environment, else the newest at all. Each is run: a name on PATH may be a shim.
find_python() {
  found=
  for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
    runs "$name" || continue
    if makes_venvs "$name"; then echo "$name"; return; fi
    found=${found:-$name}
  done
  echo "$found"
}

choose_python() {
  if [ -z "${PYTHON:-}" ]; then
    python=$(find_python)
    [ -n "$python" ] || fail "no Python 3.11 or newer found ($(python3 -V 2>&1 || true)). Install one, or name it: make setup PYTHON=/path/to/python3"
  elif ! command -v "$PYTHON" >/dev/null 2>&1; then
    fail "PYTHON=$PYTHON is not a command"
  else
    runs "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11 or newer ($("$PYTHON" -V 2>&1))"
    python=$PYTHON
  fi
  makes_venvs "$python" || add_venv_support
}

# Debian and its kin ship Python without ensurepip.
add_venv_support() {
  package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  command -v apt-get >/dev/null 2>&1 || fail "$python cannot make virtual environments (no ensurepip). Install your system's package for it, or name another Python: make setup PYTHON=/path/to/python3"
  [ "$(id -u)" = 0 ] || fail "$python cannot make virtual environments. Run this, then try again: sudo apt-get install -y $package"
  say "$python cannot make virtual environments: installing $package"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update || say "apt-get update failed; trying with the lists there are"
  apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$package" >/dev/null || fail "apt-get could not install $package"
  makes_venvs "$python" || fail "$python still cannot make virtual environments: name another one, make setup PYTHON=/path/to/python3"
}

# --- the virtual environment --------------------------------------------------------------------------------------

version_of() { "$1" -c 'import sys; print(sys.version)' 2>/dev/null; }

# Whole, made in this very folder (its scripts hold the path), and of the Python asked for.
venv_is_good() {
  [ ! -e "$cut_short" ] &&
    runs "$venv/bin/python" &&
    grep -qsF "$venv/bin/" "$venv/bin/pip" &&
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
    { [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of "$venv/bin/python")" ]; }
}

make_venv() {
  choose_python
  say "making .venv with $("$python" -V)"
  rm -rf "$venv"
  mkdir "$venv" && : >"$cut_short"
  "$python" -m venv "$venv" || fail "$python -m venv failed"
}

pip_install() {
  PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1 \
    PIP_RETRIES=${PIP_RETRIES:-10} PIP_DEFAULT_TIMEOUT=${PIP_DEFAULT_TIMEOUT:-60} \
    "$venv/bin/python" -m pip --quiet install --no-compile --no-deps "$@"
}

# On all cores, where pip would use one. Left out, each process that may not write bytecode (PYTHONDONTWRITEBYTECODE)
# compiles a thousand modules at its start, which takes it three times as long.
compile_installed() { "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null || say "some modules do not compile"; }

# Wheels only: building from source would fetch build tools that no hash vouches for.
install_locked() { pip_install --require-hashes --only-binary :all: -r "$lock"; }

install_everything() {
  say "installing $(grep -c '==' "$lock") locked requirements ($kind)"
  : >"$cut_short"
  install_locked || { say "trying once more"; install_locked; } || fail "pip could not install $lock"
  pip_install --no-index --no-build-isolation --editable "$root" || fail "pip could not install the project itself"
  compile_installed
  rm -f "$venv"/.installed-*
  what_is_wanted "$lock" >"$venv/.installed-$kind"
  rm -f "$cut_short"
}

# --- only what is needed ------------------------------------------------------------------------------------------

what_is_wanted() { echo "$root"; cat pyproject.toml "$1"; }
is_installed() { what_is_wanted "$2" | cmp -s - "$venv/.installed-$1"; }
is_ready() {
  [ -x "$venv/bin/python" ] && [ ! -e "$cut_short" ] || return 1
  [ -z "${PYTHON:-}" ] || venv_is_good || return 1
  is_installed dev requirements-dev.lock || { [ "$kind" = runtime ] && is_installed runtime requirements.lock; }
}

is_ready && exit 0
if command -v flock >/dev/null 2>&1; then # one set-up at a time, in this folder
  exec 9<"$root"
  flock -n 9 || { say "another set-up is at work here: waiting for it"; flock 9; }
  is_ready && exit 0
fi
venv_is_good || make_venv
install_everything
say "ready"
