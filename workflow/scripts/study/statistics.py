"""Statistics of item scores and of language pairs.

Values of language pairs are not independent: each language takes part in many pairs. The naive p-value of a correlation ignores this;
`mantel`, `bootstrap_over_languages`, `leave_one_language_out` and `partial_correlation` are four ways not to.
Pairs are given as two index arrays `i`, `j` (language numbers 0..n-1, i != j) beside one value per pair.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations as all_permutations
from itertools import product

import numpy as np
from scipy import stats

Z95 = 1.96  # the paper's 95 % interval is the mean plus or minus 1.96 standard errors


@dataclass(frozen=True)
class Interval:
    """A mean with its standard error and 95 % interval, all in the unit of the items."""

    mean: float
    se: float
    low: float
    high: float


def bootstrap_mean(items: np.ndarray, resamples: int = 1000, seed: int = 0) -> Interval:
    """The mean of item scores (n,) and its bootstrap interval: the standard error is the SD of the resampled means.

    Drawing n items with replacement is drawing how often each distinct value occurs, so 0/1 scores need two counts per resample.
    """
    values, counts = np.unique(np.asarray(items, dtype=float), return_counts=True)
    n = counts.sum()
    means = np.random.default_rng(seed).multinomial(n, counts / n, size=resamples) @ values / n
    mean, se = float(values @ counts / n), float(means.std(ddof=1))
    return Interval(mean, se, mean - Z95 * se, mean + Z95 * se)


def coefficient_of_variation(values: np.ndarray) -> float:
    """Sample standard deviation in percent of the mean (paper, Table 1); not a number for one value or a mean of zero."""
    values = np.asarray(values, dtype=float)
    return float(100 * values.std(ddof=1) / values.mean()) if len(values) > 1 and values.mean() else math.nan


def floor_corrected(merged: np.ndarray, expert: np.ndarray, floor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a merge keeps above the untrained model, of arrays of equal shape: merged - floor, and its share of expert - floor.

    A merge near the floor loses whatever its expert had gained, so merged - expert mirrors the floors of the languages.
    The share is not a number where the expert is not above the floor.
    """
    merged, expert, floor = (np.asarray(values, dtype=float) for values in (merged, expert, floor))
    gained = expert - floor
    return merged - floor, np.divide(merged - floor, gained, out=np.full_like(gained, math.nan), where=gained > 0)


def mantel(
    x: np.ndarray, y: np.ndarray, i: np.ndarray, j: np.ndarray, permutations: int = 9999, seed: int = 0
) -> tuple[float, float]:
    """Two-sided p-values of Pearson's r and Spearman's rho, from permuting languages instead of pairs (Mantel 1967).

    All orders where these are at most `permutations`, else that many seeded random ones, the observed order counted among them.
    Where pairs are missing, languages change places only with those that form pairs with the same others, so that a pair never becomes
    one that there is not. Not a number if fewer than 20 orders are left, of which none can be significant.
    """
    n = int(max(i.max(), j.max())) + 1
    groups = _exchangeable(i, j, n)
    count = math.prod(math.factorial(len(members)) for members in groups)
    if count < 20:
        return math.nan, math.nan
    if count <= permutations:
        rows = [np.concatenate(parts) for parts in product(*map(all_permutations, groups))]
        orders = np.empty((count, n), dtype=int)
        orders[:, np.concatenate(groups)] = rows
    else:
        generator = np.random.default_rng(seed)
        orders = np.tile(np.arange(n), (permutations + 1, 1))
        for members in groups:
            orders[1:, members] = generator.permuted(orders[1:, members], axis=1)
    number = np.zeros((n, n), dtype=int)  # of the pair of two languages
    number[i, j] = number[j, i] = np.arange(len(x))
    moved = number[orders[:, i], orders[:, j]]  # (orders, pairs)
    p_values = []
    for values, outcome in ((x, y), (stats.rankdata(x), stats.rankdata(y))):
        # Mean and SD stay what they are under permutation, so the covariance decides.
        covariance = np.abs((values - values.mean())[moved] @ (outcome - outcome.mean()))
        p_values.append(float(np.mean(covariance >= covariance[0] * (1 - 1e-12))))
    return p_values[0], p_values[1]


def _exchangeable(i: np.ndarray, j: np.ndarray, n: int) -> list[list[int]]:
    """The n languages in groups in which each forms pairs with the same others; one group if every two form a pair."""
    formed = np.zeros((n, n), dtype=bool)
    formed[i, j] = formed[j, i] = True
    groups: list[list[int]] = []
    for language in range(n):
        for members in groups:
            both = [language, members[0]]
            if np.array_equal(*np.delete(formed[both], both, axis=1)):
                members.append(language)
                break
        else:
            groups.append([language])
    return groups


def bootstrap_over_languages(
    x: np.ndarray, y: np.ndarray, i: np.ndarray, j: np.ndarray, resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """95 % percentile intervals [[r low, high], [rho low, high]] from drawing languages with replacement.

    A pair counts as often as its two languages can be combined among those drawn; a language is never paired with itself.
    """
    n = int(max(i.max(), j.max())) + 1
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    weights = (drawn[:, i] * drawn[:, j]).astype(float)  # (resamples, pairs)
    weights = weights[(weights > 0).sum(axis=1) > 2]
    intervals = [
        _weighted_pearson(x, y, weights),
        _weighted_pearson(_weighted_ranks(x, weights), _weighted_ranks(y, weights), weights),
    ]
    return np.array([np.nanpercentile(values, [2.5, 97.5]) for values in intervals])


def _weighted_ranks(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mid-ranks (resamples, pairs) that the pairs' values x have when each is repeated as often as its weight says."""
    return weights @ (x[:, None] < x) + (weights @ (x[:, None] == x) + 1) / 2


def _weighted_pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's r (resamples,) of x and y, each (pairs,) or (resamples, pairs), under each row of weights."""
    total = weights.sum(axis=1, keepdims=True)
    x, y = (values - (weights * values).sum(axis=1, keepdims=True) / total for values in (x, y))
    with np.errstate(invalid="ignore"):  # a resample without variance has no correlation
        return (weights * x * y).sum(axis=1) / np.sqrt((weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1))


def leave_one_language_out(x: np.ndarray, y: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Smallest and largest correlation, [[r min, max], [rho min, max]], when all pairs of one language are left out in turn."""
    rest = [keep for keep in _without_each_language(i, j) if keep.sum() > 2]
    if not rest:
        return np.full((2, 2), math.nan)
    values = np.array([[stats.pearsonr(x[k], y[k])[0], stats.spearmanr(x[k], y[k])[0]] for k in rest])
    return np.column_stack([values.min(axis=0), values.max(axis=0)])


def _without_each_language(i: np.ndarray, j: np.ndarray) -> Iterator[np.ndarray]:
    return ((i != language) & (j != language) for language in range(int(max(i.max(), j.max())) + 1))


def partial_correlation(x: np.ndarray, y: np.ndarray, i: np.ndarray, j: np.ndarray) -> tuple[float, float]:
    """Correlation of x and y given one additive effect per language, and its two-sided p-value (t test).

    Both are regressed on language indicators (which span the intercept, as every pair has two languages) and the residuals
    correlated. Each effect costs a degree of freedom: pairs - rank of the indicators - 1 are left. Not a number without residuals.
    """
    indicators = np.zeros((len(x), int(max(i.max(), j.max())) + 1))
    indicators[np.arange(len(x)), i] = indicators[np.arange(len(x)), j] = 1
    both = np.column_stack([x, y])
    both = both - both.mean(axis=0)
    effects, _, rank, _ = np.linalg.lstsq(indicators, both, rcond=None)
    residual = both - indicators @ effects
    freedom = len(x) - int(rank) - 1
    if freedom < 1 or np.any(np.linalg.norm(residual, axis=0) < 1e-9 * np.linalg.norm(both, axis=0)):
        return math.nan, math.nan
    r = float(np.clip(residual[:, 0] @ residual[:, 1] / np.prod(np.linalg.norm(residual, axis=0)), -1, 1))
    t = r * math.sqrt(freedom / (1 - r * r)) if abs(r) < 1 else math.inf
    return r, float(2 * stats.t.sf(abs(t), freedom))


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values adjusted for their number by Holm's step-down method (1979); missing ones stay missing and do not count."""
    p_values = np.asarray(p_values, dtype=float)
    adjusted = np.full_like(p_values, math.nan)
    order = np.argsort(p_values)[: np.isfinite(p_values).sum()]  # NaN sorts last
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1) if len(order) else steps
    return adjusted
