"""The errors this package raises: each is one sentence a user can act on."""

from __future__ import annotations


class LayercountError(Exception):
    """The base of every error raised on purpose; its text is meant for users."""


class ModelError(LayercountError):
    """The object given as a model cannot be read, copied or run as one."""
