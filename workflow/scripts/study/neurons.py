"""Language-specific feed-forward units, from how often each fires on tokens of each language.

After language activation probability entropy (LAPE; Tang et al. 2024, Language-Specific Neurons, ACL): a unit that fires in few
languages has a firing rate of low entropy over languages. Gain, Ekbal and Singh (2026, arXiv 2604.02881) trace failed multilingual
merges to such units. Units of two models are compared by their position, which has a meaning only for models of one initialisation.
"""

import numpy as np


def selectivity(firing: np.ndarray) -> np.ndarray:
    """1 - entropy / log(languages) of each unit's rates normalised over languages, for rates (languages, units).

    0: it fires equally often in all languages; 1: in one only. A unit that never fires has 0.
    """
    languages, units = firing.shape
    total = firing.sum(axis=0)
    share = np.divide(firing, total, out=np.full((languages, units), 1 / languages), where=total > 0)
    entropy = -np.sum(share * np.log(np.where(share > 0, share, 1)), axis=0)
    return np.clip(1 - entropy / np.log(languages), 0, 1)


def specific_units(firing: np.ndarray, share: float = 0.01, quantile: float = 0.95) -> np.ndarray:
    """Boolean (layers, languages, units): the units specific to each language, from rates (layers, languages, units).

    As in LAPE, thresholds hold for a whole model: among the units that in some language fire more often than `quantile` of all rates
    (rarely firing units look selective by chance), the most selective ones, `share` of all units, are taken; a unit belongs to every
    language in which it exceeds that rate.
    """
    often = firing > np.quantile(firing, quantile)
    candidates = np.where(often.any(axis=1), np.array([selectivity(layer) for layer in firing]), -1.0)
    count = min(round(share * candidates.size), int((candidates > 0).sum()))
    chosen = np.zeros(candidates.size, dtype=bool)
    chosen[np.argsort(-candidates, axis=None, kind="stable")[:count]] = True
    return often & chosen.reshape(candidates.shape)[:, None, :]


def jaccard(sets: np.ndarray) -> np.ndarray:
    """Intersection over union (models, models) of boolean sets (models, units); not a number where both are empty."""
    sets = sets.astype(float)
    both = sets @ sets.T
    either = sets.sum(axis=1)[:, None] + sets.sum(axis=1) - both
    return np.divide(both, either, out=np.full_like(both, np.nan), where=either > 0)
