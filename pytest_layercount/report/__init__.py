"""What a run found out about its models, and the ways in which it is said."""
