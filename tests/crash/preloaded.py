"""Imported once, in the process that all nodes of these tests are forked from: a start then takes no seconds."""

from __future__ import annotations

from importlib import import_module

for _module in (
    "qagate.cli.commands",
    "qagate.observe.log",
    "qagate.report.build",
    "qagate.work.forwarding",
    "qagate.work.opening",
    "qagate.work.receiving",
    "qagate.work.worker",
    "tests.crash.killing",
):
    import_module(_module)
