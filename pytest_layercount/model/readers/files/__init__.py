"""Saved models, read without Keras: nothing in a file is run, unpickled or extracted.

==================  ===================================================================
``open``            a path in, a graph out: what the other files are for
``container``       the configuration out of a zip archive, HDF5, JSON or a directory
``keras_metadata``  the configuration that Keras 2 writes beside a SavedModel
``stored_code``     what Keras would run if it loaded the file
``config``          a configuration becomes layers and networks
``classes``         which class an entry names, and whether it is Keras's own
``calls``           the forms in which calls are written
``joining``         calls become a network, in Keras's order
``saved_layer``     the data: layers, tensors, networks
``infer``           what a call returns: shapes, data types, masks
``describe``        a saved layer as the plain data of a graph
``parameters``      how many weights a layer has, by its configuration
``weights``         how many a file holds for it, and their values
==================  ===================================================================
"""
