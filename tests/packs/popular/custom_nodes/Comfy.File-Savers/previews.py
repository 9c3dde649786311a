import threading
from queue import Queue

import comfy.model_management
import comfy.utils
import latent_preview
import torch
from PIL import Image
from tqdm import tqdm


class SlowWork:
    """Work in steps, each with a picture; some of it in threads."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "steps": ("INT", {"default": 4, "min": 1, "max": 10000}),
                "preview": (["picture", "latent", "none"],),
            },
            "optional": {"use_threads": ("BOOLEAN", {"default": False})},
        }

    RETURN_TYPES = ("INT",)
    FUNCTION = "work"
    CATEGORY = "file savers/work"

    def work(self, steps, preview, use_threads=False):
        pbar = comfy.utils.ProgressBar(steps)
        if use_threads:
            return (self.work_in_threads(steps, pbar),)
        previewer = None
        if preview == "latent":
            previewer = latent_preview.Latent2RGBPreviewer(
                [[0.3, 0.2, 0.2], [0.2, 0.3, 0.2], [0.2, 0.2, 0.3], [0, 0, 0]]
            )
        for i in tqdm(range(steps), disable=True):
            comfy.model_management.throw_exception_if_processing_interrupted()
            picture = None
            if preview == "picture":
                picture = ("JPEG", Image.new("RGB", (96, 48), (255 * i // steps, 0, 0)), 64)
            elif previewer is not None:
                picture = previewer.decode_latent_to_preview_image("JPEG", torch.zeros(1, 4, 8, 16))
            pbar.update_absolute(i + 1, steps, picture)
        return (steps,)

    def work_in_threads(self, steps, pbar):
        queue = Queue()
        for i in range(steps):
            queue.put(i)
        done = []

        def run():
            while not queue.empty():
                done.append(queue.get())
                pbar.update(1)

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(done)


NODE_CLASS_MAPPINGS = {"SlowWork.fs": SlowWork}
