"""Names that mean something else in Keras 2 than in Keras 3.

Found by running 75 activations and layers with the same weights on Keras 2.15 and
Keras 3.15: only this activation, and what is made with it, gave other numbers. Both
formulas stand in the docstrings of ``keras.activations.hard_sigmoid``.
"""

from __future__ import annotations

from collections.abc import Mapping

IN_KERAS_2: Mapping[str, str] = {
    # Keras 3: relu6(x + 3) / 6
    "hard_sigmoid": "hard_sigmoid of Keras 2, 0.2 x + 0.5",
}
"""For the name of an activation, what it is called here if a Keras 2 made the model."""
