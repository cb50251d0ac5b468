"""What a user could pick instead, on the matrix of the folding tests."""
