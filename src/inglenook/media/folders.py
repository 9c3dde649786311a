"""Where models, inputs and results are, and what is in them."""

from __future__ import annotations

import difflib
import hashlib
import logging
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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

MODEL_EXTENSIONS = frozenset({".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft"})
_MODELS = MODEL_EXTENSIONS
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

logger = logging.getLogger(__name__)

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
    """The folders of one server. Cheap to make and to ask: folders are read again only after they changed.

    Model folders may be added while it is used (node packs do so); `models` is then a new mapping.
    """

    def __init__(
        self, *, base: Path, input: Path, output: Path, temp: Path, user: Path, models: Mapping[str, ModelFolder]
    ) -> None:
        self.base = base
        self.input = input
        self.output = output
        self.temp = temp
        self.user = user
        self.models = models
        self._lock = threading.Lock()
        self._changed: dict[str, None] = {}
        self._listings = {name: _listing(folder) for name, folder in models.items()}
        self._list_inputs()

    def _list_inputs(self) -> None:
        self._input_files = Listing((self.input,), recursive=False)
        self._input_3d = Listing((self.input / "3d",), frozenset({".gltf", ".glb", ".obj", ".fbx", ".stl"}))

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
            user=settings.user_folder,
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

    def move(self, kind: str, path: Path) -> None:
        """Let this process use another input, output, temp or user folder. Clients see files of the server's own."""
        if kind not in (*get_args(FileKind), "user"):
            raise MediaError(f"unknown folder type {kind!r}: use input, output, temp or user")
        if path != getattr(self, kind):
            logger.warning("the %s folder is now %s for nodes; clients still see the server's own", kind, path)
        setattr(self, kind, path)
        if kind == "input":
            self._list_inputs()

    def create(self) -> None:
        """Make the input, output, temp and default model folders, where they are missing."""
        for folder in (self.input, self.output, self.temp, self.user):
            folder.mkdir(parents=True, exist_ok=True)
        for model_folder in self.models.values():
            for first in model_folder.paths[:1]:
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

    def add_model_folder(
        self, name: str, path: Path, extensions: Iterable[str] | None = None, *, first: bool = False
    ) -> ModelFolder:
        """Search `path`, too, for models of the kind `name`: last, or first.

        extensions: of the files, added to those of a folder that is known; None: any file for a new kind.
        A path that is there already stays where it is, unless it is to be first. Returns the folder as it is now.
        """
        with self._lock:
            known = self.model_folder(name) or ModelFolder(ALIASES.get(name, name), (), _ANY_FILE)
            places = known.paths
            if path not in places:
                places = (path, *places) if first else (*places, path)
            elif first:
                places = (path, *(place for place in places if place != path))
            # No extensions mean any file: adding some to them would hide the others.
            is_open = name in self.models and not known.extensions
            allowed = known.extensions if is_open or extensions is None else known.extensions | frozenset(extensions)
            return self._put(replace(known, paths=places, extensions=allowed))

    def set_model_folder(self, name: str, places: Sequence[Path], extensions: Iterable[str]) -> ModelFolder:
        """Search exactly `places` for models of the kind `name`, and what comes with inglenook. Returns the folder."""
        with self._lock:
            known = self.model_folder(name) or ModelFolder(ALIASES.get(name, name), (), _ANY_FILE)
            return self._put(replace(known, paths=tuple(places), extensions=frozenset(extensions)))

    def _put(self, folder: ModelFolder) -> ModelFolder:
        if self.models.get(folder.name) != folder:
            # New mappings, for others may be going through the old ones.
            self._listings = {**self._listings, folder.name: _listing(folder)}
            self.models = {**self.models, folder.name: folder}
            self._changed[folder.name] = None
        return folder

    def changed_model_folders(self) -> tuple[ModelFolder, ...]:
        """The model folders that were added or changed since this object was made, as they are now.

        `set_model_folder` makes another process's folders equal to them.
        """
        with self._lock:
            return tuple(self.models[name] for name in self._changed)

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
        place = f" Put it into {folder.paths[0]}" if folder.paths else ""
        return f"model folder {folder.name} has no file {name!r}.{hint}{place}"

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


def _listing(folder: ModelFolder) -> Listing:
    return Listing(folder.paths, folder.extensions, last=folder.packaged)


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
