"""Let a running server draw 24 prompts with the demo checkpoint, and judge the pictures from their pixels.

    python scripts/demo_checkpoint/judge.py --url http://127.0.0.1:8188

Speaks the plain ComfyUI API, so any such server that has the checkpoint will do. Prints a table and, as the last line,
the counts as JSON; writes a labelled contact sheet. Ends with status 1 when the pictures are not good enough.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from shapes import COLOURS, SHAPES, Scene
from verdict import Verdict, judge

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOW = REPOSITORY / "src" / "inglenook" / "demo" / "workflow.json"
LEAST_RIGHT = {"background": 24, "foreground": 22, "shape": 20}
COLUMNS, LABEL_HEIGHT, GAP = 6, 18, 8

Draw = Callable[[str, int], np.ndarray]
"""(prompt, seed) -> picture, uint8 [height, width, 3]."""


@dataclass(frozen=True, slots=True)
class Case:
    """One prompt, what it asks for, what was seen, and how long it took."""

    prompt: str
    asked: Scene
    seen: Verdict
    seconds: float

    def right(self, what: str) -> bool:
        """Tell whether the background, foreground or shape is the one that was asked for."""
        return bool(getattr(self.seen, what) == getattr(self.asked, what))


def scenes() -> list[Scene]:
    """List 24 scenes: every shape three times, every colour twice in front and twice behind."""
    names = tuple(COLOURS)
    return [Scene(SHAPES[i % 8], names[5 * i % 12], names[(7 * i + 3) % 12]) for i in range(24)]


def prompt_of(scene: Scene) -> str:
    """Word a scene as a user would."""
    front, back = ("an" if name[0] in "aeiou" else "a" for name in (scene.foreground, scene.background))
    return f"{front} {scene.foreground} {scene.shape} on {back} {scene.background} background"


def judge_all(draw: Draw) -> tuple[list[Case], list[np.ndarray]]:
    """Draw and judge all scenes; the seed is the number of the prompt, the first try counts."""
    cases, pictures = [], []
    for seed, scene in enumerate(scenes()):
        prompt, start = prompt_of(scene), time.monotonic()
        pictures.append(draw(prompt, seed))
        cases.append(Case(prompt, scene, judge(pictures[-1]), time.monotonic() - start))
        print(_line(cases[-1]), flush=True)
    return cases, pictures


def counts(cases: list[Case]) -> dict[str, int]:
    """Count right backgrounds, foregrounds and shapes."""
    return {what: sum(case.right(what) for case in cases) for what in LEAST_RIGHT}


def contact_sheet(cases: list[Case], pictures: list[np.ndarray]) -> Image.Image:
    """Lay the pictures out in a grid, each with its prompt's words below."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // COLUMNS)
    size = (COLUMNS * (width + GAP) + GAP, rows * (height + LABEL_HEIGHT + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for index, (case, pixels) in enumerate(zip(cases, pictures, strict=True)):
        x = GAP + index % COLUMNS * (width + GAP)
        y = GAP + index // COLUMNS * (height + LABEL_HEIGHT + GAP)
        sheet.paste(Image.fromarray(pixels), (x, y))
        pen.rectangle((x, y, x + width - 1, y + height - 1), outline=(210, 210, 210))
        label = f"{case.asked.foreground} {case.asked.shape}, {case.asked.background}"
        pen.text((x + width / 2, y + height + 3), label, fill=(60, 60, 60), font=font, anchor="ma")
    return sheet


def draw_on(client: httpx.Client, workflow: dict[str, Any]) -> Draw:
    """Return a function that draws through a server's ComfyUI API."""

    def draw(prompt: str, seed: int) -> np.ndarray:
        answer = client.post("/prompt", json={"prompt": _with(workflow, prompt, seed)})
        if answer.is_error:
            raise SystemExit(f"the server refused the workflow: {answer.status_code} {answer.text}")
        image = _wait_for_image(client, answer.json()["prompt_id"])
        return np.asarray(Image.open(io.BytesIO(client.get("/view", params=image).content)).convert("RGB"))

    return draw


def _with(workflow: dict[str, Any], prompt: str, seed: int) -> dict[str, Any]:
    """Set prompt and seed: the sampler is the KSampler node, the prompt the node behind its `positive` input."""
    graph = copy.deepcopy(workflow)
    sampler = next(node for node in graph.values() if node["class_type"] == "KSampler")
    sampler["inputs"]["seed"] = seed
    graph[sampler["inputs"]["positive"][0]]["inputs"]["text"] = prompt
    return graph


def _wait_for_image(client: httpx.Client, prompt_id: str) -> dict[str, str]:
    while True:
        entry = client.get(f"/history/{prompt_id}").json().get(prompt_id)
        if entry is not None:
            break
        time.sleep(0.05)
    images = [image for output in entry["outputs"].values() for image in output.get("images", [])]
    if not images:
        raise SystemExit(f"job {prompt_id} made no picture: {entry['status']}")
    return {name: images[0][name] for name in ("filename", "subfolder", "type")}


def _line(case: Case) -> str:
    marks = [f"{what} {getattr(case.seen, what) or '?'}{'' if case.right(what) else ' WRONG'}" for what in LEAST_RIGHT]
    return f"{case.prompt:<46} {', '.join(marks)} ({case.seen.overlap:.2f}), {case.seconds:.1f} s"


def main() -> int:
    """Parse arguments, draw, judge, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8188", help="a server that speaks the ComfyUI API")
    parser.add_argument("--workflow", type=Path, default=WORKFLOW, help="text-to-image workflow in API format")
    parser.add_argument("--sheet", type=Path, default=REPOSITORY / "docs" / "images" / "contact-sheet.png")
    arguments = parser.parse_args()
    workflow = json.loads(arguments.workflow.read_text(encoding="utf-8"))
    with httpx.Client(base_url=arguments.url, timeout=120.0) as client:
        cases, pictures = judge_all(draw_on(client, workflow))
    arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(cases, pictures).save(arguments.sheet, optimize=True)
    right = counts(cases)
    slowest = round(max(case.seconds for case in cases), 2)
    wrong = [asdict(case) for case in cases if not all(case.right(what) for what in LEAST_RIGHT)]
    print(json.dumps({"pictures": len(cases), "right": right, "slowest_s": slowest, "wrong": wrong}))
    return 0 if all(right[what] >= least for what, least in LEAST_RIGHT.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
