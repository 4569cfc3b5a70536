"""The validators that integrators use: dciodvfy, dsrdump and PixelMed's SR validator. Each skips where it is absent."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

JARS = Path("/usr/share/java")
PIXELMED = "com.pixelmed.validate.DicomSRValidator"


def dciodvfy(path: Path) -> list[str]:
    """Return the errors of an object against its IOD."""
    _needs("dciodvfy")
    return [line for line in _run("dciodvfy", "-new", str(path)).stderr.splitlines() if line.startswith("Error")]


def dsrdump(path: Path) -> list[str]:
    """Return what dcmtk's reader of structured reports objects to."""
    _needs("dsrdump")
    found = _run("dsrdump", str(path))
    errors = [line for line in found.stderr.splitlines() if line.startswith(("E:", "F:"))]
    return errors or ([found.stderr] if found.returncode else [])


def pixelmed(path: Path) -> list[str]:
    """Return the errors of a structured report against its templates; half a minute a file."""
    _needs("java")
    jars = [str(jar) for jar in sorted(JARS.glob("*.jar"))]
    if not any(Path(jar).name == "pixelmed.jar" for jar in jars):
        pytest.skip("PixelMed is not installed")
    # JDK 17 limits XPath expressions to less than the validator's own style sheets need
    limits = ("xpathExprGrpLimit", "xpathExprOpLimit", "xpathTotalOpLimit")
    options = ["-Xss64m", *(f"-Djdk.xml.{limit}=0" for limit in limits), "-Djdk.xml.entityExpansionLimit=0"]
    found = _run("java", *options, "-cp", ":".join(jars), PIXELMED, str(path))
    lines = (found.stdout + found.stderr).splitlines()
    if "Root Template Validation Complete" not in lines:
        return ["the validator did not come to its end", *lines]
    return [line for line in lines if line.startswith("Error")]


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=240, check=False)


def _needs(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
