"""The node is killed, starved and lied to; afterwards a ledger says what became of every image."""
