"""Imported once, in the process that all nodes of these tests are forked from: a start then takes no seconds."""

from __future__ import annotations

import qagate.cli.commands
import qagate.cli.node
import qagate.cli.options
import qagate.observe.log
import qagate.report.build
import qagate.store.database
import qagate.work.receiving
import qagate.work.supervisor
import qagate.work.worker
import tests.crash.killing  # noqa: F401
