"""The packages of version 1 are data: their tests run where they are installed."""

collect_ignore = ["version_1"]
