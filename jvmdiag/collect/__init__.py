"""The use cases, short: open, discover, choose, capture, pump, verify, commit, undo."""
