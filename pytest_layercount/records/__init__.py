"""The models of a test suite as data that travels: from one TensorFlow to another."""
