"""What :func:`pytest_layercount.fold` does to a graph: each choice of ``passes=`` is a file."""
