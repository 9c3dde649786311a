"""Where models, inputs and results are, and what is in them."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, cast, get_args

from inglenook.engine.names import CHOICES
from inglenook.engine.schema import ChoiceSource
from inglenook.errors import MediaError, ModelError
from inglenook.media import extra_paths, paths
from inglenook.media.kinds import media_kind
from inglenook.media.listing import Listing
from inglenook.settings import Settings

FileKind = Literal["input", "output", "temp"]
"""The three folders whose files clients name."""

ALIASES: Mapping[str, str] = {"unet": "diffusion_models", "clip": "text_encoders"}
"""Older names of model folders."""

_MODELS = frozenset({".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft"})
_ANY_FILE: frozenset[str] = frozenset()

_LAYOUT: tuple[tuple[str, tuple[str, ...], frozenset[str]], ...] = (
    ("checkpoints", ("models/checkpoints",), _MODELS),
    ("configs", ("models/configs",), frozenset({".yaml"})),
    ("loras", ("models/loras",), _MODELS),
    ("vae", ("models/vae",), _MODELS),
    ("text_encoders", ("models/text_encoders", "models/clip"), _MODELS),
    ("diffusion_models", ("models/unet", "models/diffusion_models"), _MODELS),
    ("clip_vision", ("models/clip_vision",), _MODELS),
    ("style_models", ("models/style_models",), _MODELS),
    ("embeddings", ("models/embeddings",), _MODELS),
    ("diffusers", ("models/diffusers",), frozenset({"folder"})),
    ("vae_approx", ("models/vae_approx",), _MODELS),
    ("controlnet", ("models/controlnet", "models/t2i_adapter"), _MODELS),
    ("gligen", ("models/gligen",), _MODELS),
    ("upscale_models", ("models/upscale_models",), _MODELS),
    ("custom_nodes", ("custom_nodes",), _ANY_FILE),
    ("hypernetworks", ("models/hypernetworks",), _MODELS),
    ("photomaker", ("models/photomaker",), _MODELS),
    ("classifiers", ("models/classifiers",), frozenset({""})),
    ("model_patches", ("models/model_patches",), _MODELS),
    ("audio_encoders", ("models/audio_encoders",), _MODELS),
)
"""Model folders in ComfyUI's order: name, where they are below the base folder, extensions of their files."""

Names = list[str]  # inside Folders, `list` is a method

_EXTRA_PATHS_FILE = "extra_model_paths.yaml"
_ANNOTATED = re.compile(r"^(.*?) ?\[(input|output|temp)\]$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A named list of folders with models of one kind."""

    name: str
    paths: tuple[Path, ...]
    """Searched in this order."""
    extensions: frozenset[str]
    packaged: tuple[Path, ...] = ()
    """Searched and listed after `paths`: what comes with inglenook."""


class Folders:
    """The folders of one server. Cheap to make and to ask: folders are read again only after they changed."""

    def __init__(
        self, *, base: Path, input: Path, output: Path, temp: Path, user: Path, models: Mapping[str, ModelFolder]
    ) -> None:
        self.base = base
        self.input = input
        self.output = output
        self.temp = temp
        self.user = user
        self.models = models
        self._listings = {
            name: Listing(folder.paths, folder.extensions, last=folder.packaged) for name, folder in models.items()
        }
        self._input_files = Listing((input,), recursive=False)
        self._input_3d = Listing((input / "3d",), frozenset({".gltf", ".glb", ".obj", ".fbx", ".stl"}))

    @classmethod
    def from_settings(cls, settings: Settings, *, packaged: Path | None = None) -> Folders:
        """The folders that the settings name, with the layout of a ComfyUI folder below the base folder.

        packaged: folder of checkpoints that come with inglenook; the package's own without it.
        """
        base = settings.base_directory
        files = [file for file in (base / _EXTRA_PATHS_FILE,) if file.is_file()]
        return cls(
            base=base,
            input=settings.input_folder,
            output=settings.output_folder,
            temp=settings.temp_folder,
            user=base / "user",
            models=_model_folders(
                base, [*files, *settings.extra_model_paths_config], packaged or _package_folder() / "demo"
            ),
        )

    # Input, output, temp

    def directory(self, kind: str) -> Path:
        """The folder for `input`, `output` or `temp`; MediaError for another kind."""
        if kind not in get_args(FileKind):
            raise MediaError(f"unknown folder type {kind!r}: use input, output or temp")
        return cast(Path, getattr(self, kind))

    def create(self) -> None:
        """Make the input, output, temp and default model folders, where they are missing."""
        for folder in (self.input, self.output, self.temp, self.user):
            folder.mkdir(parents=True, exist_ok=True)
        for model_folder in self.models.values():
            first = model_folder.paths[0]
            if first.is_relative_to(self.base):
                first.mkdir(parents=True, exist_ok=True)

    def resolve_annotated(self, value: str, kind: str = "input") -> Path:
        """The path of a file named as clients name it: `a.png`, `sub/a.png`, `a.png [output]`.

        kind: the folder of a name without annotation. Raises UnsafePath; the file need not exist.
        """
        name, kind = split_annotation(value, kind)
        return paths.resolve(self.directory(kind), name)

    def input_exists(self, value: object, kinds: str = "") -> bool:
        """Whether `value` names a file (see `resolve_annotated`), of whatever kind: a loader tells what it cannot read.

        kinds: media kinds that the input lists; taken so that this is an `engine.catalog.FileExists`.
        """
        if not isinstance(value, str):
            return False
        try:
            return self.resolve_annotated(value).is_file()
        except (MediaError, OSError):
            return False

    # Models

    def model_folder(self, name: str) -> ModelFolder | None:
        """The model folder of that name or older name, or None."""
        return self.models.get(ALIASES.get(name, name))

    def list(self, folder: str) -> Names:
        """Relative names of a model folder's files, sorted, those that come with inglenook last; [] if unknown."""
        listing = self._listings.get(ALIASES.get(folder, folder))
        return [] if listing is None else [*listing.names()]

    def find(self, folder: str, name: str) -> Path:
        """The path of a file of a model folder.

        Links in a model folder are followed wherever they lead: whoever runs the server made them.
        Raises UnsafePath, or ModelError when there is no such folder or file.
        """
        model_folder = self.model_folder(folder)
        if model_folder is None:
            raise ModelError(f"there is no model folder {folder!r}; known ones: {', '.join(self.models)}")
        if paths.parts(name):
            for root in (*model_folder.paths, *model_folder.packaged):
                path = paths.join(root, name)
                if path.is_file():
                    return path
        raise ModelError(self._not_found(model_folder, name))

    def _not_found(self, folder: ModelFolder, name: str) -> str:
        names = self.list(folder.name)
        same = [known for known in names if known.rsplit("/", 1)[-1] == name.replace("\\", "/").rsplit("/", 1)[-1]]
        near = same or difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        return f"model folder {folder.name} has no file {name!r}.{hint} Put it into {folder.paths[0]}"

    # Choices

    def choices(self, source: ChoiceSource) -> Sequence[str]:
        """What a declared list holds now, without its `extra` choices."""
        match source.kind:
            case "files":
                return [name for key in source.key.split(",") for name in self.list(key)]
            case "input":
                return self._input_choices(source.key.split(","))
            case "names":
                return CHOICES.get(source.key, ())

    def _input_choices(self, kinds: Sequence[str]) -> Names:
        if kinds == ["subfolder"]:
            return [*self._input_files.folders()]
        if kinds == ["3d"]:
            return [f"3d/{name}" for name in self._input_3d.names()]
        return [name for name in self._input_files.names() if media_kind(name) in kinds]

    def state_token(self) -> str:
        """A short text that changes when any list of files does."""
        digest = hashlib.blake2b(digest_size=12)
        for listing in (*self._listings.values(), self._input_files, self._input_3d):
            digest.update(listing.digest())
        return digest.hexdigest()


def split_annotation(value: str, kind: str) -> tuple[str, str]:
    """`a.png [temp]` -> (`a.png`, `temp`); a name without annotation -> (the name, `kind`)."""
    match = _ANNOTATED.match(value)
    return (match[1], match[2]) if match else (value, kind)


def _model_folders(base: Path, files: Sequence[Path], packaged: Path) -> dict[str, ModelFolder]:
    found = {name: [base / path for path in places] for name, places, _ in _LAYOUT}
    extensions = {name: allowed for name, _, allowed in _LAYOUT}
    for file in files:
        for extra in extra_paths.read(file):
            places = found.setdefault(ALIASES.get(extra.folder, extra.folder), [])
            if extra.path in places and not extra.is_default:
                continue
            if extra.path in places:
                places.remove(extra.path)
            places.insert(0 if extra.is_default else len(places), extra.path)
    return {
        name: ModelFolder(
            name,
            tuple(places),
            extensions.get(name, _ANY_FILE),
            packaged=(packaged,) if name == "checkpoints" else (),
        )
        for name, places in found.items()
    }


def _package_folder() -> Path:
    return Path(str(resources.files("inglenook")))
