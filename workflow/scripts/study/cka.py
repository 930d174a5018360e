"""Linear centred kernel alignment of all pairs of representations (Kornblith et al. 2019; debiased: Song et al. 2012).

With K = X X' and the centring matrix H, the biased estimator is <HKH, HLH> / (|HKH| |HLH|). It tends to grow with hidden size over
sentences: independent features of d dimensions give about d / (n + d). The debiased one sets the diagonals of K and L to zero,

  HSIC1(K, L) = [tr(KL) + 1'K1 1'L1 / ((n-1)(n-2)) - 2 1'KL1 / (n-2)] / (n(n-3)),

and is about zero there, so it may be negative. HSIC1 does not change when the features are translated, hence it can be had from the
centred Gram matrices: with zero row sums, the rows of the zero-diagonal matrix sum to minus the diagonal k, and
tr(KL) = <HKH, HLH> - k'l, 1'K1 = -sum(k), 1'KL1 = k'l. Thus inner products of centred Gram matrices, each computed once per model
and layer, and of their diagonals give both estimators for all pairs.

Memory for one layer: models x n x n x 8 bytes (10 models, 1012 sentences: 82 MB), plus one matrix of n x hidden x 8 bytes (17 MB).
"""

from collections.abc import Iterable

import numpy as np

from study.files import UserError


def centred_gram(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Gram matrix (n, n) of the rows of x (n, hidden) after the mean row is taken off; float64, written to `out` if given."""
    x = np.asarray(x, dtype=np.float64)
    x = x - x.mean(axis=0)
    return np.matmul(x, x.T, out=out)  # numpy computes one triangle only when both factors are the same matrix


def all_pairs_cka(matrices: Iterable[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Biased and debiased CKA, each (count, count), of `count` matrices (sentences, any hidden size), taken one at a time.

    The debiased value is not a number where the unbiased self-similarity is not positive, as its root does not exist.

    Raises:
        UserError: for fewer than four sentences, or a matrix whose rows are all the same.
    """
    grams = None
    for number, matrix in enumerate(matrices):
        n = len(matrix)
        if n < 4:
            raise UserError(f"CKA needs at least four sentences, and there are {n}.")
        if grams is None:
            grams = np.empty((count, n, n))
        centred_gram(matrix, out=grams[number])
    grams = grams.reshape(count, n * n)
    diagonals = grams[:, :: n + 1]
    inner = grams @ grams.T
    if not np.all(np.diag(inner) > 0):
        raise UserError("A representation is the same for every sentence, so it resembles nothing; leave that model out.")
    products, sums = diagonals @ diagonals.T, diagonals.sum(axis=1)
    unbiased = inner - products + np.outer(sums, sums) / ((n - 1) * (n - 2)) - 2 * products / (n - 2)
    return _normalised(inner), _normalised(unbiased)


def _normalised(inner: np.ndarray) -> np.ndarray:
    """Inner products divided by both norms."""
    # Rounding leaves about 1e-16 of the terms where the exact self-similarity is zero.
    squares = np.where(np.diag(inner) > 1e-12 * np.abs(inner).max(), np.diag(inner), np.nan)
    return inner / np.sqrt(np.outer(squares, squares))
