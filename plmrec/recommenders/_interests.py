"""The arithmetic of an interest profile: a user vector from tags, and the items near it.

The example of the interest profile in full. Four tags and what one user thinks of them:

    >>> tags = np.array([
    ...     [0.6, 0.2, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.8, 0.0], [0.0, 0.1, 0.1, 0.8]])
    >>> weights = np.array([0.4, 0.3, 0.2, 0.1])
    >>> (weights[:, None] * tags).round(2).tolist()  # w·v of each tag
    [[0.24, 0.08, 0.04, 0.04], [0.03, 0.21, 0.03, 0.03], [0.02, 0.02, 0.16, 0.0], [0.0, 0.01, 0.01, 0.08]]
    >>> user = user_vector(weights, tags)
    >>> user.round(2).tolist()
    [0.29, 0.32, 0.24, 0.15]

Three items, their cosines with the user, and the list of those above θ = 0.3, best first:

    >>> items = np.array([[0.3, 0.5, 0.1, 0.0], [0.1, 0.4, 0.5, 0.0], [0.2, 0.3, 0.4, 0.1]])
    >>> (items @ user).round(3).tolist()
    [0.271, 0.277, 0.265]
    >>> round(float(np.linalg.norm(user)), 4), np.linalg.norm(items, axis=1).round(4).tolist()
    (0.5163, [0.5916, 0.6481, 0.5477])
    >>> from plmrec.recommenders._centred_texts import unit_rows
    >>> similarity = unit_rows(items) @ unit_rows(user[None])[0]
    >>> [round(float(each), 3) for each in similarity]
    [0.887, 0.828, 0.937]
    >>> matching(similarity, 0.3)
    [2, 0, 1]

A published version of this example gives u = (0.24, 0.21, 0.16, 0.08). That is not the sum: of each
product w·v it keeps one coordinate, the diagonal of the table above, and drops the others. It also
divides u·c by one of the two norms only, which is no cosine: the result grows with the length of
the other vector, so that one θ means something else for every user or item, and the order changes:

    >>> np.diag(weights[:, None] * tags).round(2).tolist()
    [0.24, 0.21, 0.16, 0.08]
    >>> (items @ user / np.linalg.norm(user)).round(3).tolist()  # by the norm of u only
    [0.525, 0.536, 0.513]
"""  # noqa: E501 - a table of four rows

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plmrec.histories import Floats


def user_vector(weights: Floats, vectors: npt.NDArray[np.floating]) -> Floats:
    """The user as a sum of tags, ``u = Σ w·v``.

    Args:
        weights: (n_tags,) or (n_users, n_tags), interest in each tag; below 0 against it.
        vectors: (n_tags, d), the tags.

    Returns:
        float64 (d,) or (n_users, d), of any length; zeros for a user without interests.
    """
    return np.asarray(weights @ vectors, dtype=np.float64)


def matching(similarity: npt.NDArray[np.floating], threshold: float) -> list[int]:
    """Places of the items whose similarity is above a threshold, best first: {c : sim(u,c) > θ}.

    Args:
        similarity: (n_items,), cosine of one user with each item.
        threshold: θ; an item at θ itself is not in the list.
    """
    order = np.argsort(-similarity, kind="stable")
    return [int(place) for place in order if similarity[place] > threshold]
