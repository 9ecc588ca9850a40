"""Fitted trees of scikit-learn to the arrays of a Forest step; offline only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detection.step_checks import Floats, Ints
from detection.steps import LEAF, Forest

VALUE_TOLERANCE: Final = 1e-9


def forest(name: str, trees: Sequence[Any], columns: Ints) -> Forest:
    """Return the forest of fitted trees, scikit-learn's `tree_`, that answer class distributions.

    Raises:
        ValueError: they have several outputs, or inner nodes are not the means of their children.
    """
    if trees[0].n_outputs != 1:
        raise ValueError(f"{name}: must have one output, has {trees[0].n_outputs}")
    nodes = [_nodes(tree) for tree in trees]
    values = [tree.value[:, 0, :] for tree in trees]
    made, kept = joined(nodes, values, columns)
    if np.abs(made.distributions() - kept).max() > VALUE_TOLERANCE:
        raise ValueError(
            f"{name}: nodes must be the weighted means of their children; monotonic_cst has no compiled form"
        )
    return made


def isolation(trees: Sequence[Any], depths: Sequence[Floats], columns: Ints) -> Forest:
    """Return the forest of fitted trees whose nodes answer one number each, read at leaves only."""
    values = [np.asarray(depth, np.float64)[:, None] for depth in depths]
    return joined([_nodes(tree) for tree in trees], values, columns)[0]


def boosted(name: str, rounds: Sequence[Sequence[Any]], columns: Ints) -> Forest:
    """Return the forest of a histogram gradient boosting's predictors: tree k of a round adds to column k.

    Its answer is the mean of its trees, so what they add together is as many times that.

    Raises:
        ValueError: a node asks for a category.
    """
    width = len(rounds[0])
    nodes, values = [], []
    for trees in rounds:
        for column, tree in enumerate(trees):
            table = tree.nodes
            if table["is_categorical"].any():
                raise ValueError(f"{name}: categorical features have no compiled form")
            leaf = table["is_leaf"].astype(np.bool_)
            nodes.append(
                Nodes(
                    left=np.where(leaf, LEAF, table["left"].astype(np.int64)),
                    right=np.where(leaf, LEAF, table["right"].astype(np.int64)),
                    feature=table["feature_idx"],
                    threshold=table["num_threshold"],
                    missing_left=table["missing_go_to_left"],
                    weight=table["count"],
                )
            )
            value = np.zeros((len(table), width))
            value[:, column] = table["value"]
            values.append(value)
    return joined(nodes, values, columns)[0]


class Nodes:
    """A tree's N nodes: children LEAF at leaves, and what the others ask."""

    def __init__(
        self,
        *,
        left: NDArray[Any],
        right: NDArray[Any],
        feature: NDArray[Any],
        threshold: NDArray[Any],
        missing_left: NDArray[Any],
        weight: NDArray[Any],
    ) -> None:
        self.order = preorder(left, right)
        place = np.argsort(self.order)
        self.left = left[self.order]
        self.right = place[right[self.order]]
        self.feature = feature[self.order]
        self.threshold = threshold[self.order]
        self.missing_left = missing_left[self.order]
        self.weight = weight[self.order]


def joined(trees: Sequence[Nodes], values: Sequence[Floats], columns: Ints) -> tuple[Forest, Floats]:
    """Return the forest of trees with N x C values of their nodes, and all values in its order."""
    sizes = np.array([tree.order.size for tree in trees])
    roots = (np.cumsum(sizes) - sizes).astype(np.int64)
    ordered = np.concatenate([value[tree.order] for tree, value in zip(trees, values, strict=True)])
    right = np.concatenate([root + tree.right for tree, root in zip(trees, roots, strict=True)])

    def field(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(tree, name) for tree in trees])

    is_leaf = field("left") < 0
    leaves, right[is_leaf] = _distinct(ordered[is_leaf])
    made = Forest(
        columns=columns,
        threshold=np.where(is_leaf, 0, floor_to_float32(field("threshold"))).astype(np.float32),
        feature=np.where(is_leaf, LEAF, field("feature")).astype(np.int16),
        next=right.astype(np.int32),
        missing_left=field("missing_left").astype(np.bool_) & ~is_leaf,
        weight=field("weight").astype(np.float64),
        roots=roots,
        leaves=leaves,
    )
    made.check()
    return made, ordered


def _nodes(tree: Any) -> Nodes:
    return Nodes(
        left=tree.children_left,
        right=tree.children_right,
        feature=tree.feature,
        threshold=tree.threshold,
        missing_left=tree.missing_go_to_left,
        weight=tree.weighted_n_node_samples,
    )


def _distinct(rows: Floats) -> tuple[Floats, Ints]:
    """Return the distinct rows by first use, so that those of a tree lie together, and each row's place."""
    _, first, place = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return np.ascontiguousarray(rows[first[order]], np.float64), np.argsort(order)[place.ravel()]


def floor_to_float32(numbers: Floats) -> NDArray[np.float32]:
    """Return the largest float32 not above each number."""
    with np.errstate(over="ignore"):
        nearest = numbers.astype(np.float32)
        below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > numbers, below, nearest)


def preorder(children_left: NDArray[Any], children_right: NDArray[Any]) -> Ints:
    """Return a tree's nodes in an order in which each left child stands behind its parent."""
    left, right = children_left.tolist(), children_right.tolist()
    order, waiting = [], [0]
    while waiting:
        at = waiting.pop()
        order.append(at)
        if left[at] >= 0:
            waiting += [right[at], left[at]]
    return np.array(order, np.int64)
