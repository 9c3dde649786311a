import comfy.utils
import torch


class ImageBatchToList:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"image": ("IMAGE",)}}

    RETURN_TYPES = ("IMAGE",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "doit"
    CATEGORY = "image tools/batch"

    def doit(self, image):
        images = [image[i : i + 1, ...] for i in range(image.shape[0])]
        return (images,)


class ImageListToBatch:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"images": ("IMAGE",)}}

    INPUT_IS_LIST = True
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "doit"
    CATEGORY = "image tools/batch"

    def doit(self, images):
        if len(images) <= 1:
            return (images[0],)
        image1 = images[0]
        for image2 in images[1:]:
            if image1.shape[1:] != image2.shape[1:]:
                image2 = comfy.utils.common_upscale(
                    image2.movedim(-1, 1), image1.shape[2], image1.shape[1], "lanczos", "center"
                ).movedim(1, -1)
            image1 = torch.cat((image1, image2), dim=0)
        return (image1,)


class ImageBatchMulti:
    """Its editor script adds inputs image_3, image_4, ...; they reach it as keywords."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "inputcount": ("INT", {"default": 2, "min": 2, "max": 1000, "step": 1}),
                "image_1": ("IMAGE",),
            },
            "optional": {"image_2": ("IMAGE",)},
        }

    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("images",)
    FUNCTION = "combine"
    CATEGORY = "image tools/batch"

    @classmethod
    def VALIDATE_INPUTS(s, **kwargs):
        return True

    def combine(self, inputcount, **kwargs):
        images = [kwargs[f"image_{c}"] for c in range(1, inputcount + 1) if kwargs.get(f"image_{c}") is not None]
        return (torch.cat(images, dim=0),)


class GetImageSizeAndCount:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"image": ("IMAGE",)}}

    RETURN_TYPES = ("IMAGE", "INT", "INT", "INT")
    RETURN_NAMES = ("image", "width", "height", "count")
    FUNCTION = "getsize"
    CATEGORY = "image tools/batch"
    OUTPUT_NODE = True

    def getsize(self, image):
        width, height, count = image.shape[2], image.shape[1], image.shape[0]
        return {"ui": {"text": [f"{count}x{width}x{height}"]}, "result": (image, width, height, count)}


NODE_CLASS_MAPPINGS = {
    "ImageBatchToList+": ImageBatchToList,
    "ImageListToBatch+": ImageListToBatch,
    "ImageBatchMulti": ImageBatchMulti,
    "GetImageSizeAndCount": GetImageSizeAndCount,
}
