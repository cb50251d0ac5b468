"""What a model is: plain data, no opinion."""
