"""The longest common subsequence of two sequences, by bits in whole numbers.

After Hyyrö, "Bit-parallel LCS-length computation revisited" (2004): one row of the
usual table is one Python integer, so that a thousand against a thousand steps take
milliseconds where they differ everywhere.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def common(one: Sequence[Hashable], two: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Places of a longest common subsequence, the ends matched first."""
    start = 0
    # Ends that are the same belong to a longest subsequence, so only the middle is left to search.
    while start < min(len(one), len(two)) and one[start] == two[start]:
        start += 1
    end = 0
    while end < min(len(one), len(two)) - start and one[-1 - end] == two[-1 - end]:
        end += 1
    middle = _common(one[start : len(one) - end], two[start : len(two) - end])
    return [
        *((place, place) for place in range(start)),
        *((i + start, j + start) for i, j in middle),
        *((len(one) - k, len(two) - k) for k in range(end, 0, -1)),
    ]


def _common(one: Sequence[Hashable], two: Sequence[Hashable]) -> list[tuple[int, int]]:
    places: dict[Hashable, int] = {}
    for j, token in enumerate(two):
        places[token] = places.get(token, 0) | 1 << j
    full = (1 << len(two)) - 1
    rows = [full]
    for token in one:
        # Hyyrö's step V' = (V + (V & M)) | (V & ~M), where M has a bit for each place of the token
        # in ``two``. ``hits`` is a part of ``row``, so that subtracting it is V & ~M.
        row = rows[-1]
        hits = row & places.get(token, 0)
        rows.append(((row + hits) | (row - hits)) & full)
    return _walk_back(one, two, rows)


def _walk_back(
    one: Sequence[Hashable], two: Sequence[Hashable], rows: list[int]
) -> list[tuple[int, int]]:
    """From the last cell to the first. A cleared bit is where a row's length goes up."""
    pairs = []
    i, j = len(one), len(two)
    while i and j:
        if one[i - 1] == two[j - 1]:
            pairs.append((i - 1, j - 1))
            i, j = i - 1, j - 1
        elif _length(rows[i - 1], j) >= _length(rows[i], j - 1):
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _length(row: int, upto: int) -> int:
    """The common length of what the row stands for and the first ``upto`` of the other.

    It is the number of cleared bits among the first ``upto``.
    """
    return upto - (row & ((1 << upto) - 1)).bit_count()
