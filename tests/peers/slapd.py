"""OpenLDAP's slapd with a few people, in a folder of its own, on a free port of this machine."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.peers.dcmtk import free_port

_FOUND = shutil.which("slapd") or shutil.which("slapd", path="/usr/sbin:/usr/local/sbin")
SUFFIX = "dc=hospital,dc=example"
ADMIN, SECRET = f"cn=finder,{SUFFIX}", "finds people"

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
disallow bind_anon
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw "{secret}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by * none
"""

PEOPLE = """
dn: {suffix}
objectClass: dcObject
objectClass: organization
o: hospital
dc: hospital

dn: ou=people,{suffix}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{suffix}
objectClass: organizationalUnit
ou: groups
"""


def available() -> bool:
    """Say whether slapd is installed."""
    return _FOUND is not None


class Slapd:
    """Use as a context manager. people: name → password; groups: name → members."""

    def __init__(self, folder: Path, *, people: dict[str, str], groups: dict[str, list[str]]) -> None:
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir(parents=True)
        words = {"folder": folder, "suffix": SUFFIX, "admin": ADMIN, "secret": SECRET}
        (folder / "slapd.conf").write_text(CONFIGURATION.format(**words), encoding="utf-8")
        entries = [PEOPLE.format(suffix=SUFFIX)]
        for name, password in people.items():
            entries.append(
                f"dn: {person(name)}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
                f"userPassword: {password}\n"
            )
        for name, members in groups.items():
            listed = "".join(f"member: {person(member)}\n" for member in members)
            entries.append(f"dn: {group(name)}\nobjectClass: groupOfNames\ncn: {name}\n{listed}")
        (folder / "people.ldif").write_text("\n".join(entries), encoding="utf-8")

    @property
    def url(self) -> str:
        """Its address."""
        return f"ldap://127.0.0.1:{self.port}"

    def __enter__(self) -> Slapd:
        """Fill it and start it."""
        assert _FOUND is not None
        configured = ["-f", str(self.folder / "slapd.conf")]
        subprocess.run(
            [_FOUND, "-T", "add", *configured, "-l", str(self.folder / "people.ldif")], check=True, timeout=60
        )
        with (self.folder / "slapd.log").open("wb") as log:
            self._process = subprocess.Popen([_FOUND, *configured, "-h", self.url, "-d", "0"], stdout=log, stderr=log)
        end = time.monotonic() + 30
        while time.monotonic() < end and not (self.folder / "pid").exists():
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def stop(self) -> None:
        """Stop it now."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


def person(name: str) -> str:
    """Return the distinguished name of a person."""
    return f"uid={name},ou=people,{SUFFIX}"


def group(name: str) -> str:
    """Return the distinguished name of a group."""
    return f"cn={name},ou=groups,{SUFFIX}"
