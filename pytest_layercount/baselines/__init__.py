"""Where the models of a test suite stand: files in the repository, and the tests that use them.

A baseline holds a model's structure, a line for each call of a layer, so that the
difference of two versions of the file is the difference of the structures.
"""
