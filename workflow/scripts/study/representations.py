"""Reading a folder of representations: one `{model}.safetensors` per model with tensors `layer.{i}` (sentences, hidden)."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from study.files import UserError


class Representations:
    """The representations of several models on the same sentences, read one matrix at a time.

    Attributes: models (file names without suffix, sorted), layers (numbers, sorted), sentences (their count).

    Raises:
        UserError: if there are fewer than two models, or they differ in layers or in the number of sentences.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.models = sorted(path.stem for path in self.folder.glob("*.safetensors"))
        if len(self.models) < 2:
            raise UserError(f"{folder} has {len(self.models)} files {{model}}.safetensors; a comparison needs at least two.")
        shapes = {model: self._shapes(model) for model in self.models}
        first = self.models[0]
        self.layers = sorted(shapes[first])
        self.sentences = shapes[first][self.layers[0]][0]
        for model in self.models:
            if sorted(shapes[model]) != self.layers:
                raise UserError(f"{first} has layers {self.layers}, {model} has {sorted(shapes[model])}; they must be the same.")
            for layer, shape in shapes[model].items():
                if len(shape) != 2 or shape[0] != self.sentences:
                    raise UserError(
                        f"{model}, layer {layer} has shape {shape}, but {first} has {self.sentences} sentences; "
                        "extract all models on the same text."
                    )

    def _shapes(self, model: str) -> dict[int, list[int]]:
        path = self.folder / f"{model}.safetensors"
        try:
            with safe_open(path, framework="pt") as file:
                names = [name for name in file.keys() if name.removeprefix("layer.").isdecimal()]  # noqa: SIM118 (no mapping)
                shapes = {int(name.removeprefix("layer.")): file.get_slice(name).get_shape() for name in names}
        except SafetensorError as error:
            raise UserError(f"{path} is not a safetensors file ({error}).") from None
        if not shapes:
            raise UserError(f"{path} has no tensor named layer.0, layer.1, ...; name one per layer.")
        return shapes

    def matrix(self, model: str, layer: int) -> np.ndarray:
        """Float64 matrix (sentences, hidden).

        Raises:
            UserError: if it has values that are not finite.
        """
        with safe_open(self.folder / f"{model}.safetensors", framework="pt") as file:
            values = file.get_tensor(f"layer.{layer}").to(torch.float64).numpy()
        if not np.isfinite(values).all():
            raise UserError(f"{model}, layer {layer} has values that are not finite; extract it in bfloat16 or float32.")
        return values
