"""A plan becomes a new, independent Keras model."""
