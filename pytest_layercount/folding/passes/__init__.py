"""What :func:`fold` can take out beside affine maps: a file for each pass."""
