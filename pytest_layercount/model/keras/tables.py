"""What layers learn by ``adapt()`` and keep outside of variables: vocabularies and boundaries."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_layercount.model.keras.common import parts


def learns_table(layer: Any) -> bool:
    """Whether a layer, or a part of it, keeps a table: its variables are none that a fold moves."""
    return any(map(_has_table, parts(layer)))


def copy_tables(old: Any, new: Any) -> None:
    """Give ``new``, a copy of ``old``, the tables that ``old`` has learned.

    A layer must have them before it is called: an empty table cannot be asked anything.
    """
    for source, target in zip(parts(old), parts(new), strict=False):
        if hasattr(source, "lookup_table") and hasattr(target, "set_vocabulary"):
            _copy_vocabulary(source, target)
        elif _has_boundaries(source) and _has_boundaries(target):
            target.bin_boundaries = source.bin_boundaries and list(source.bin_boundaries)
            if hasattr(source, "input_bin_boundaries"):
                # Keras 3.3 makes a layer that was adapted as if the user had set its boundaries.
                target.input_bin_boundaries = source.input_bin_boundaries
            summary = getattr(source, "summary", None)
            if isinstance(summary, np.ndarray):  # Keras 2 keeps it in a variable
                target.summary = summary.copy()


def learn_derived(old: Any, new: Any) -> None:
    """Give ``new`` variables from which it derives what ``old`` computes with.

    A Normalization whose weights were set, without ``finalize_state()``, computes with others.
    """
    for source, target in zip(parts(old), parts(new), strict=False):
        for name in ("mean", "variance"):
            derived, learned = (
                getattr(source, attribute, None) for attribute in (name, f"adapt_{name}")
            )
            if derived is None or learned is None:
                continue
            # The mean that is computed with is broadcast against the data, (1, ..., n); the learned
            # one has (n,).
            wanted = np.reshape(np.asarray(derived, np.float64), tuple(learned.shape))
            if not np.allclose(wanted, np.asarray(learned, np.float64), rtol=1e-2):
                getattr(target, f"adapt_{name}").assign(wanted)


def derive(layer: Any) -> bool:
    """Compute again what a layer keeps beside its variables, but for tables; whether it has any."""
    derived = [part for part in parts(layer) if hasattr(part, "finalize_state")]
    derived = [part for part in derived if not learns_table(part)]
    for part in derived:
        part.finalize_state()
    return bool(derived)


def _has_table(part: Any) -> bool:
    return hasattr(part, "lookup_table") or _has_boundaries(part)


def _has_boundaries(part: Any) -> bool:
    return hasattr(part, "bin_boundaries") and hasattr(part, "num_bins")


def _copy_vocabulary(source: Any, target: Any) -> None:
    if not int(source.lookup_table.size()):
        return  # nothing was learned yet, and Keras sets no empty vocabulary
    if source.output_mode != "tf_idf":
        target.set_vocabulary(source.get_vocabulary(include_special_tokens=False))
        return
    # With the special tokens: to those left out, Keras gives the average of the weights.
    vocabulary = source.get_vocabulary()
    # What pads the weights to max_tokens is added again.
    weights = source.idf_weights.numpy()[: len(vocabulary)]
    target.set_vocabulary(vocabulary, idf_weights=weights)
