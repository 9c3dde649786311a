"""Runs before any pack is imported."""

import os
import sys

import folder_paths

loaded = [name for name in sys.modules if name.startswith("custom_nodes.")]
os.environ["HABITS_PREPARED"] = f"{len(loaded)} packs before"
with open(os.path.join(folder_paths.get_input_directory(), "example of habits.txt"), "w") as file:
    file.write("an example")
