"""Tests of pytest_layercount.compare."""
