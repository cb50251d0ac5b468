"""Tests of pytest_layercount.report."""
