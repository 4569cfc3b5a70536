"""`python -m qagate`."""

from __future__ import annotations

from qagate.cli import main

main()
