"""What is known of the layer types of Keras, as plain data: neither Keras nor a file is asked."""
