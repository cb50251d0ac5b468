"""Every sentence a user reads, as functions from facts to text: a file for each subject.

How they are laid out, and how long they may be, is :mod:`pytest_layercount.layout`.
"""

from pytest_layercount.messages import (
    arguments,
    baselines,
    commands,
    counts,
    folds,
    marks,
    matrix,
    named,
    pairs,
    pictures,
    records,
    settings,
    targets,
)

__all__ = [
    "arguments",
    "baselines",
    "commands",
    "counts",
    "folds",
    "marks",
    "matrix",
    "named",
    "pairs",
    "pictures",
    "records",
    "settings",
    "targets",
]
