"""Found through sys.path, without the package."""

import random
import re
from pathlib import Path


def process(text, folder, seed):
    rng = random.Random(seed)

    def choose(match):
        return rng.choice([option.strip() for option in match.group(1).split("|")])

    def read(match):
        lines = (Path(folder) / f"{match.group(1)}.txt").read_text(encoding="utf-8").splitlines()
        return rng.choice([line.strip() for line in lines if line.strip() and not line.startswith("#")])

    text = re.sub(r"__([\w-]+)__", read, text)
    return re.sub(r"\{([^{}]+)\}", choose, text)
