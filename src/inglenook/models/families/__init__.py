"""One file per architecture: what a file of it looks like, how to build it, what its inputs and outputs mean."""
