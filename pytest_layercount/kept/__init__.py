"""What is written for later and read back: the text of a baseline, and records as JSON.

A baseline holds a model's structure, a line for each call of a layer, so that the
difference of two versions of the file is the difference of the structures. A record holds
it, and what the model computes, as data that travels from one TensorFlow to another.
"""
