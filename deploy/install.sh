#!/bin/sh
# Make a virtual environment with qagate in it. Used by the Makefile: PYTHON, VENV, TORCH; $1: extras, as demo,test.
set -eu
"$PYTHON" - <<'CHECK' || exit 1
import sys
if sys.version_info < (3, 11):
    sys.exit(f"qagate needs Python 3.11 or newer, got {sys.version.split()[0]}; set PYTHON=python3.11")
CHECK
if [ ! -x "$VENV/bin/python" ]; then
    "$PYTHON" -m venv "$VENV" || { echo "the venv module is missing: apt-get install python3-venv" >&2; exit 1; }
fi
pip="$VENV/bin/python -m pip install --quiet --disable-pip-version-check"
if ! "$VENV/bin/python" -c 'import torch' 2>/dev/null; then
    echo "installing torch ($TORCH)"
    if [ "$TORCH" = cpu ]; then
        # the CPU build where an index offers it, else the release everyone has
        $pip 'torch==2.13.0+cpu' 2>/dev/null || $pip 'torch==2.13.0'
    else
        $pip "$TORCH"
    fi
fi
echo "installing qagate [$1]"
$pip -c constraints.txt -e ".[$1]"
echo "installing the viewer and the charts of the pages"
VENV="$VENV" sh deploy/vendor.sh || echo "no viewer and no charts: the pages show single slices and tables instead (is npm's registry within reach?)" >&2
