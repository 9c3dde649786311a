#!/bin/sh
# Makes .venv and fills it; does nothing when pyproject.toml, constraints.txt and TORCH are what filled it last.
#
#   TORCH=cpu         take PyTorch's own CPU build (no CUDA libraries, about 2 GB less)
#   TORCH_INDEX=URL   where that build is found
#   PYTHON=python3.x  the Python to build on; else the first of 3.11 or newer that is found
set -eu

venv=${VENV:-.venv}
torch=${TORCH:-}
torch_index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python of version 3.11 or newer"
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if is_new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    found=$(python3 --version 2>&1) || found="no python3 at all"
    fail "inglenook needs Python 3.11 or newer and found $found.
Install one (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python) or name it: make setup PYTHON=/path/to/python3.11"
}

make_venv() {
    "$1" -m venv --clear "$venv" >/dev/null 2>&1 && return
    # Debian's python3 alone has no ensurepip: a pip of the system can put one into the environment.
    "$1" -m venv --clear --without-pip "$venv" && "$1" -m pip --python "$venv/bin/python" install --quiet pip && return
    rm -rf "$venv"
    fail "$1 cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"
}

case $torch in
    "" | cpu) ;;
    *) fail "TORCH=$torch is not known: TORCH=cpu takes the CPU build, without TORCH pip takes the usual one" ;;
esac
wanted="torch=$torch $(cat pyproject.toml constraints.txt | cksum) $(pwd)"
[ -f "$venv/.filled-with" ] && [ "$(cat "$venv/.filled-with")" = "$wanted" ] && exit 0

if ! is_new_enough "$venv/bin/python"; then
    python=$(find_python)
    echo "setup: making $venv with $("$python" --version 2>&1)"
    make_venv "$python"
fi
pip="$venv/bin/python -m pip --disable-pip-version-check"
echo "setup: installing inglenook and what it needs; a first time takes some minutes"
if [ "$torch" = cpu ]; then
    # Only torch is taken from there: other packages of that index are old.
    $pip install --quiet -c constraints.txt --index-url "$torch_index" torch
fi
$pip install --quiet -c constraints.txt -e '.[engine,editor,dev]'
printf '%s' "$wanted" >"$venv/.filled-with"
echo "setup: done"
