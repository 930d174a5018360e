"""Mutual nearest-neighbour overlap of representations (Huh et al. 2024, The Platonic Representation Hypothesis, ICML)."""

import numpy as np

from study.files import UserError


def nearest_neighbours(x: np.ndarray, k: int) -> np.ndarray:
    """Boolean (n, n): for each row of x (n, hidden), its k most similar other rows by cosine.

    Raises:
        UserError: unless 1 <= k < n.
    """
    n = len(x)
    if not 1 <= k < n:
        raise UserError(f"Each of {n} sentences has {n - 1} possible neighbours, so k must lie between 1 and {n - 1}, not {k}.")
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.finfo(float).tiny)
    similarity = x @ x.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    is_neighbour = np.zeros((n, n), dtype=bool)
    np.put_along_axis(is_neighbour, nearest, True, axis=1)
    return is_neighbour


def neighbour_overlap(neighbours: list[np.ndarray]) -> np.ndarray:
    """Share (models, models) of the k neighbours that two models have in common, averaged over sentences.

    One Gram matrix of 0/1 rows counts all pairs; unrelated representations share about k / (n - 1).
    """
    flat = np.array([matrix.ravel() for matrix in neighbours], dtype=np.float32)
    return (flat @ flat.T).astype(float) / neighbours[0].sum()
