"""The command line; importing it imports neither the server nor torch."""

from inglenook.cli.main import main

__all__ = ["main"]
