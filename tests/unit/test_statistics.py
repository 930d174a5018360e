"""Statistics against hand calculation, brute force and simulated truth."""

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy import stats

from study.statistics import (
    bootstrap_mean,
    bootstrap_over_languages,
    coefficient_of_variation,
    floor_corrected,
    holm,
    leave_one_language_out,
    mantel,
    partial_correlation,
)


def pairs(n):
    """Index arrays of all pairs of n languages."""
    return np.triu_indices(n, k=1)


def test_cv_by_hand():
    assert coefficient_of_variation([1, 2, 3, 4]) == pytest.approx(100 * np.sqrt(5 / 3) / 2.5)
    assert np.isnan(coefficient_of_variation([3.0]))


def test_bootstrap_of_accuracies_has_the_analytic_error():
    items = np.repeat([1, 0], [300, 700])
    interval = bootstrap_mean(items, resamples=20000)
    assert interval.mean == 0.3
    assert interval.se == pytest.approx(np.sqrt(0.3 * 0.7 / 1000), rel=0.02)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * interval.se)
    assert bootstrap_mean(items, seed=1) == bootstrap_mean(items[::-1], seed=1) != bootstrap_mean(items, seed=2)


def test_bootstrap_of_real_scores_agrees_with_scipy():
    items = np.random.default_rng(0).gamma(2, size=60)
    theirs = stats.bootstrap((items,), np.mean, n_resamples=5000, rng=np.random.default_rng(1))
    assert bootstrap_mean(items, resamples=5000).se == pytest.approx(theirs.standard_error, rel=0.04)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, np.nan]) == pytest.approx([0.03, 0.06, 0.06, np.nan], nan_ok=True)
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])


def test_floor_correction_by_hand():
    above, share = floor_corrected([0.6, 0.5, 0.7], [0.9, 0.5, 0.9], [0.5, 0.5, 0.95])
    assert above == pytest.approx([0.1, 0, -0.25])
    assert share == pytest.approx([0.25, np.nan, np.nan], nan_ok=True)


def test_exact_mantel_against_a_double_loop():
    i, j = pairs(5)
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=10).round(1), generator.normal(size=10).round(1)
    matrix = np.zeros((5, 5))
    matrix[i, j] = matrix[j, i] = x
    counts = np.zeros(2)
    for order in permutations(range(5)):
        moved = matrix[np.ix_(order, order)][i, j]
        for number, correlate in enumerate([stats.pearsonr, stats.spearmanr]):
            counts[number] += abs(correlate(moved, y)[0]) >= abs(correlate(x, y)[0]) - 1e-12
    assert mantel(x, y, i, j) == pytest.approx(counts / 120)
    flip = np.arange(10) % 2 == 0  # whether a pair is written a, b or b, a does not matter
    assert mantel(x, y, np.where(flip, j, i), np.where(flip, i, j)) == pytest.approx(counts / 120)


def test_random_mantel_comes_near_the_exact_one():
    i, j = pairs(7)
    x, y = np.random.default_rng(4).normal(size=(2, 21))
    assert mantel(x, y, i, j, permutations=5000, seed=1) == pytest.approx(mantel(x, y, i, j, permutations=5040), abs=0.03)


def test_mantel_without_some_pairs_keeps_to_those_that_are_there():
    """Languages 4-6 form no pair with each other, so only 4! 3! orders map pairs to pairs."""
    i, j = pairs(7)
    there = i < 4
    i, j = i[there], j[there]
    x, y = np.random.default_rng(6).normal(size=(2, len(i)))
    matrix = np.full((7, 7), np.nan)
    matrix[i, j] = matrix[j, i] = x
    counts = np.zeros(2)
    for first in permutations(range(4)):
        for last in permutations(range(4, 7)):
            moved = matrix[np.ix_(first + last, first + last)][i, j]
            for number, correlate in enumerate([stats.pearsonr, stats.spearmanr]):
                counts[number] += abs(correlate(moved, y)[0]) >= abs(correlate(x, y)[0]) - 1e-12
    assert mantel(x, y, i, j) == pytest.approx(counts / 144)
    assert mantel(x, y, i, j, permutations=143) == pytest.approx(counts / 144, abs=0.15)


def test_mantel_needs_enough_orders():
    i, j = (index[:-1] for index in pairs(5))
    assert np.isnan(mantel(np.arange(9.0), np.arange(9.0) ** 2, i, j)).all()


def test_bootstrap_over_languages_against_loops():
    n, seed = 6, 5
    i, j = pairs(n)
    x, y = np.random.default_rng(6).normal(size=(2, 15)).round(1)
    number = {pair: k for k, pair in enumerate(zip(i, j, strict=True))}
    replicates = []
    for counts in np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=200):
        drawn = np.repeat(np.arange(n), counts)
        chosen = [number[tuple(sorted(pair))] for pair in combinations(drawn, 2) if pair[0] != pair[1]]
        if len(set(chosen)) > 2:
            replicates.append([stats.pearsonr(x[chosen], y[chosen])[0], stats.spearmanr(x[chosen], y[chosen])[0]])
    expected = np.nanpercentile(replicates, [2.5, 97.5], axis=0).T
    assert bootstrap_over_languages(x, y, i, j, resamples=200, seed=seed) == pytest.approx(expected)


def test_leaving_one_language_out_against_a_loop():
    i, j = pairs(5)
    x, y = np.random.default_rng(7).normal(size=(2, 10))
    rest = [[k for k in range(10) if language not in (i[k], j[k])] for language in range(5)]
    r = [stats.pearsonr(x[k], y[k])[0] for k in rest]
    rho = [stats.spearmanr(x[k], y[k])[0] for k in rest]
    assert leave_one_language_out(x, y, i, j) == pytest.approx(np.array([[min(r), max(r)], [min(rho), max(rho)]]))


def test_partial_correlation_is_the_t_test_of_a_regression():
    i, j = pairs(7)
    x, y = np.random.default_rng(8).normal(size=(2, 21))
    design = np.column_stack([x, *((i == language) | (j == language) for language in range(7))]).astype(float)
    inverse = np.linalg.inv(design.T @ design)
    slope = inverse @ design.T @ y
    variance = np.sum((y - design @ slope) ** 2) / (21 - 8)
    t = slope[0] / np.sqrt(variance * inverse[0, 0])
    r, p = partial_correlation(x, y, i, j)
    assert p == pytest.approx(2 * stats.t.sf(abs(t), 13))
    assert r == pytest.approx(t / np.sqrt(t**2 + 13))


def test_partial_correlation_of_purely_additive_values_does_not_exist():
    i, j = pairs(6)
    effects = np.random.default_rng(9).normal(size=6)
    assert np.isnan(partial_correlation(effects[i] + effects[j], np.arange(15.0) ** 2, i, j)).all()


def test_with_additive_language_effects_only_the_naive_test_loses_its_level():
    """Measure and outcome each have language effects of their own and nothing in common: every rejection is false."""
    i, j = pairs(10)
    generator = np.random.default_rng(10)
    rejected = np.zeros(3)
    for _ in range(400):
        effects = generator.normal(size=(2, 10))
        x, y = effects[:, i] + effects[:, j] + 0.3 * generator.normal(size=(2, 45))
        rejected += (
            np.array([stats.pearsonr(x, y)[1], mantel(x, y, i, j, permutations=199)[0], partial_correlation(x, y, i, j)[1]])
            < 0.05
        )
    naive, permuted, partial = rejected / 400
    assert naive > 0.2
    # Four standard errors of a true level of 0.05 in 400 trials.
    assert permuted < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)
    assert partial < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


def test_the_permutation_test_finds_a_true_pair_effect():
    i, j = pairs(10)
    generator = np.random.default_rng(11)
    found = 0
    for _ in range(50):
        effects = generator.normal(size=(2, 10))
        x, y = 0.3 * (effects[:, i] + effects[:, j]) + generator.normal(size=(2, 45))
        found += mantel(x, y + x, i, j, permutations=199)[0] < 0.05
    assert found > 40


def test_floor_correction_removes_a_planted_floor_effect():
    """Merges fall to the floor of the untrained model, which differs by language and which the measure happens to follow."""
    i, j = pairs(10)
    generator = np.random.default_rng(12)
    raw, corrected = [], []
    for _ in range(100):
        floor = generator.uniform(0.4, 0.7, size=10)
        pair_floor = (floor[i] + floor[j]) / 2
        merged = pair_floor + 0.02 * generator.normal(size=45)
        expert = np.full(45, 0.9)
        x = pair_floor + 0.05 * generator.normal(size=45)
        raw.append(stats.pearsonr(x, merged - expert)[0])
        corrected.append(stats.pearsonr(x, floor_corrected(merged, expert, pair_floor)[0])[0])
    # Variances of 0.0033 (floors of pairs), 0.0025 and 0.0004 (noise) let one expect 0.7, a little less in small samples.
    assert np.mean(raw) > 0.5
    assert abs(np.mean(corrected)) < 4 / np.sqrt(45 * 100)
