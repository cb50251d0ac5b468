"""What can be asserted of a model."""
