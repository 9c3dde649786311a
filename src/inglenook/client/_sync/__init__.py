"""Generated from `_sync` by `scripts/unasync.py`: edit that."""
