"""Saved models, read without Keras: nothing in a file is run, unpickled or extracted."""
