#!/bin/sh
# The programs that the tests talk to. Missing ones are installed when we may; else the tests that need them are skipped.
set -eu
missing=""
for pair in Orthanc:orthanc storescu:dcmtk dciodvfy:dicom3tools dcm2niix:dcm2niix chromium:chromium slapd:slapd; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing="$missing ${pair#*:}"
done
ls /usr/share/orthanc/plugins/libOrthancDicomWeb.so >/dev/null 2>&1 || missing="$missing orthanc-dicomweb"
ls /usr/share/orthanc/plugins/libOrthancPython.so >/dev/null 2>&1 || missing="$missing orthanc-python"
ls /usr/share/java/pixelmed.jar >/dev/null 2>&1 || missing="$missing pixelmed-apps libpixelmed-java"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed, so some tests are skipped:$missing" >&2
    exit 0
fi
echo "installing$missing"
apt-get update -qq
# the packages bring services of their own that nobody wants here
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
rm -f /usr/sbin/policy-rc.d
