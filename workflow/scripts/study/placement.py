"""Placing the labels of a scatter plot so that none covers another label or a point."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

ANGLES = np.deg2rad(np.arange(0, 360, 22.5))
GAPS = (0.5, 2.0, 4.0, 7.0, 11.0, 16.0, 22.0, 29.0)  # between a label and its marker in points of print, tried from near to far
MARGIN = 0.4  # points kept free around a label
SWEEPS, STARTS = 8, 6
# What a place costs: a marker or another label under it, a line over another label, a crossing of lines; and its distance in points.
OVER_POINT, OVER_LABEL, LINE_OVER_LABEL, CROSSING, PER_POINT, OUTSIDE = 60.0, 60.0, 15.0, 15.0, 1.2, 1e4


def place_boxes(points: np.ndarray, sizes: np.ndarray, bounds: tuple[float, float, float, float], radius: float) -> np.ndarray:
    """Lower left corners (n, 2) of labels of `sizes` (n, 2) near `points` (n, 2), within bounds (x0, y0, x1, y1).

    Each label has the same candidate places around its marker (a disc of `radius`). The costs of every place by itself and of every
    two places of two labels are tabulated; then labels move in turn to their cheapest place given the others, until none moves,
    from a few seeded orders, of which the cheapest result counts. Deterministic. All lengths are in points of print.
    """
    n = len(points)
    directions = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
    # A label's centre lies so far out that its edge, not its centre, keeps the gap.
    offsets = [(sizes / 2)[:, None] * directions + (radius + gap) * directions for gap in GAPS]
    centres = points[:, None] + np.concatenate(offsets, axis=1)  # (n, places, 2)
    low, high = centres - sizes[:, None] / 2, centres + sizes[:, None] / 2
    alone = np.repeat(PER_POINT * np.array(GAPS), len(ANGLES)) + OUTSIDE * ((low < bounds[:2]) | (high > bounds[2:])).any(-1)
    nearest = np.clip(points, low[:, :, None], high[:, :, None])
    alone += OVER_POINT * (np.linalg.norm(nearest - points, axis=-1) < radius + MARGIN).sum(axis=-1)

    def together(i: int, others: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Cost (places,) of the places of label i beside the chosen places of other labels."""
        low_o, high_o = low[others, chosen], high[others, chosen]
        overlap = (np.minimum(high[i][:, None], high_o) - np.maximum(low[i][:, None], low_o) > -MARGIN).all(-1)
        start, end = points[i], centres[i][:, None]
        start_o, end_o = points[others], centres[others, chosen]
        return (
            OVER_LABEL * overlap
            + CROSSING * _cross(start, end, start_o, end_o)
            + LINE_OVER_LABEL
            * (_runs_over(start, end, low_o, high_o) | _runs_over(start_o, end_o, low[i][:, None], high[i][:, None]))
        ).sum(axis=-1)

    generator = np.random.default_rng(0)
    best, least = None, np.inf
    for _ in range(STARTS):
        order, chosen = generator.permutation(n), alone.argmin(axis=1)
        for _ in range(SWEEPS):
            before = chosen.copy()
            for i in order:
                others = np.delete(np.arange(n), i)
                chosen[i] = np.argmin(alone[i] + together(i, others, chosen[others]))
            if np.array_equal(before, chosen):
                break
        total = sum(alone[i, chosen[i]] + together(i, np.arange(i), chosen[:i])[chosen[i]] for i in range(n))
        if total < least:
            best, least = chosen, total
    return low[np.arange(n), best]


def _cross(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Whether the segments a-b and c-d cross, for arrays (..., 2) that fit each other."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])

    return (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)


def _runs_over(start: np.ndarray, end: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether the segment start-end runs through the box low-high, for arrays (..., 2) that fit each other (slab method)."""
    step = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.stack([(low - start) / step, (high - start) / step])
    return np.nanmax(t.min(axis=0), axis=-1).clip(min=0) < np.nanmin(t.max(axis=0), axis=-1).clip(max=1)


def label_points(axes: Axes, x: np.ndarray, y: np.ndarray, texts: list[str], size: float, radius: float = 2.3) -> None:
    """Label the points of an axes whose limits are final, with hair lines to labels that had to move away.

    Args:
        size: of the font in points.
        radius: of the markers in points.
    """
    figure = axes.figure
    figure.draw_without_rendering()  # fixes the layout, from here on frozen
    figure.set_layout_engine("none")
    scale = 72 / figure.dpi
    points = axes.transData.transform(np.column_stack([x, y])) * scale
    halo = [withStroke(linewidth=1.2, foreground="white", alpha=0.8)]
    labels = [axes.text(0, 0, text, fontsize=size, va="bottom", color="0.1", path_effects=halo, zorder=4) for text in texts]
    # The box of a text includes room for descenders that codes of languages do not need.
    sizes = np.array([label.get_window_extent().size for label in labels]) * scale
    bounds = axes.get_window_extent().extents * scale
    back = axes.transData.inverted()
    for label, point, corner, extent in zip(labels, points, place_boxes(points, sizes, bounds, radius), sizes, strict=True):
        label.set_position(back.transform(corner / scale))
        nearest = np.clip(point, corner, corner + extent)
        if np.linalg.norm(nearest - point) > radius + GAPS[2]:
            axes.plot(*back.transform(np.stack([point, nearest]) / scale).T, color="0.55", linewidth=0.4, zorder=2)
