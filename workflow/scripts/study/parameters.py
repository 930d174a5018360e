"""Similarity of any number of models' weights, from one pass over them.

Tensor by tensor, the tensor of every model is read once and flattened; its (models x models) matrix of dot products is added up in
float64. The sum gives the cosine and the L2 distance of every pair of whole models, without any pair being compared by itself.
Memory: one tensor of each model in its stored type, one float64 block, and one float32 copy of a single tensor for its norm.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from scipy.sparse.linalg import svds

from study.files import UserError, read_json

BLOCK = 2**20  # elements of each model turned into float64 at a time: 8 MB a model
EXACT_ELEMENTS = 2**21  # up to this size, a full float64 decomposition takes a second or two


class Weights:
    """A folder of safetensors, whole or in shards, and the bytes that were read from it.

    Attributes: name (of the folder), shapes (of each floating-point tensor; a tied output layer is left out), bytes_read.

    Raises:
        UserError: if the folder holds no readable weights.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.name = self.folder.resolve().name
        self.bytes_read = 0
        index = self.folder / "model.safetensors.index.json"
        single = self.folder / "model.safetensors"
        if index.exists():
            files = [self.folder / name for name in sorted(set(read_json(index)["weight_map"].values()))]
        else:
            files = [single] if single.exists() else sorted(self.folder.glob("*.safetensors"))
        if not files:
            raise UserError(f"{folder} has no safetensors; give folders that hold model.safetensors or its shards.")
        self._file: dict[str, Path] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for path in files:
            self._add(path)
        if self._tied():
            self.shapes.pop("lm_head.weight", None)

    def _add(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (no mapping)
                    part = file.get_slice(name)
                    if "F" in part.get_dtype():  # F64, F32, F16, BF16; integers are no weights
                        self._file[name], self.shapes[name] = path, tuple(part.get_shape())
        except (SafetensorError, FileNotFoundError) as error:
            raise UserError(f"{path} cannot be read as safetensors ({error}).") from None

    def _tied(self) -> bool:
        config = self.folder / "config.json"
        return config.exists() and bool(read_json(config).get("tie_word_embeddings"))

    def tensor(self, name: str) -> torch.Tensor:
        """Read one tensor in its stored type."""
        with safe_open(self._file[name], framework="pt") as file:
            tensor = file.get_tensor(name)
        self.bytes_read += tensor.nbytes
        return tensor


def check_same_architecture(models: list[Weights]) -> None:
    """Refuse models that cannot be compared weight by weight, from the files' headers alone.

    Raises:
        UserError: if there are fewer than two, two share a name, or names or shapes of tensors differ.
    """
    if len({model.name for model in models}) < max(len(models), 2):
        raise UserError("Give at least two model folders, each with its own name.")
    first = models[0]
    for model in models[1:]:
        for name in sorted(first.shapes.keys() ^ model.shapes.keys()):
            owner, other = (first, model) if name in first.shapes else (model, first)
            raise UserError(
                f"{owner.name} has a tensor {name} and {other.name} has not; only models of one architecture compare."
            )
        for name, shape in first.shapes.items():
            if model.shapes[name] != shape:
                raise UserError(
                    f"{name} has shape {shape} in {first.name} but {model.shapes[name]} in {model.name}; all must agree."
                )


def gram(tensors: list[torch.Tensor]) -> np.ndarray:
    """Dot products (models, models) of tensors of one shape, in float64, block by block."""
    flat = [tensor.reshape(-1) for tensor in tensors]
    total = torch.zeros(len(flat), len(flat), dtype=torch.float64)
    for start in range(0, len(flat[0]), BLOCK):
        block = torch.stack([values[start : start + BLOCK].to(torch.float64) for values in flat])
        total += block @ block.T
    return total.numpy()


def stable_rank(tensor: torch.Tensor, square_norm: float) -> float:
    """Squared Frobenius norm over squared spectral norm, of a tensor seen as (first side, rest); not a number for zero.

    The spectral norm is exact up to EXACT_ELEMENTS, else from Lanczos iteration (ARPACK) in float32, to a relative 1e-6.
    """
    matrix = tensor.reshape(len(tensor), -1)
    if not square_norm:
        return float("nan")
    if matrix.numel() <= EXACT_ELEMENTS:
        spectral = torch.linalg.matrix_norm(matrix.to(torch.float64), ord=2).item()
    else:
        start = np.random.default_rng(0).standard_normal(min(matrix.shape), dtype=np.float32)
        spectral = float(svds(matrix.to(torch.float32).numpy(), k=1, tol=1e-6, v0=start, return_singular_vectors=False)[0])
    return square_norm / spectral**2


def cosines(dots: np.ndarray) -> np.ndarray:
    """Cosine (models, models) from dot products; not a number for a model of zeros."""
    norms = np.sqrt(np.diag(dots))
    with np.errstate(invalid="ignore", divide="ignore"):
        return dots / np.outer(norms, norms)


def compare(models: list[Weights]) -> dict[str, np.ndarray]:
    """Matrices (models, models) of four measures:

    cosine                  of all parameters as one vector (the paper's)
    cosine_layerwise        the mean over weight matrices of their cosines; norm gains, all near one, are left out
    l2                      Euclidean distance of the same vectors as `cosine`
    stable_rank_difference  the mean over weight matrices of |difference of stable ranks|

    Raises:
        UserError: if the models differ in architecture, or a weight is not finite.
    """
    check_same_architecture(models)
    total = np.zeros((len(models), len(models)))
    cosines_of_tensors, rank_differences = [], []
    for name, shape in models[0].shapes.items():
        tensors = [model.tensor(name) for model in models]
        dots = gram(tensors)
        if not np.isfinite(dots).all():
            bad = models[int(np.flatnonzero(~np.isfinite(np.diag(dots)))[0])].name
            raise UserError(f"{name} of {bad} has values that are not finite; make that model again.")
        total += dots
        if len(shape) > 1:
            cosines_of_tensors.append(cosines(dots))
            ranks = np.array([stable_rank(tensor, square) for tensor, square in zip(tensors, np.diag(dots), strict=True)])
            rank_differences.append(np.abs(ranks[:, None] - ranks))
    squares = np.diag(total)
    nothing = np.full_like(total, np.nan)
    return {
        "cosine": cosines(total),
        "cosine_layerwise": np.mean(cosines_of_tensors, axis=0) if cosines_of_tensors else nothing,
        # Rounding may take the squared distance of equal models below zero.
        "l2": np.sqrt(np.maximum(squares[:, None] + squares - 2 * total, 0)),
        "stable_rank_difference": np.mean(rank_differences, axis=0) if rank_differences else nothing,
    }
