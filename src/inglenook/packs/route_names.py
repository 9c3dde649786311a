"""What the API process and the device process say to each other in headers, beside the routes of node packs."""

UNMATCHED = "X-Inglenook-Unmatched"
"""Marks an answer that no route gave: the API process then answers in its own words."""
