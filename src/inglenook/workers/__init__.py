"""What runs graphs: the Worker protocol and its implementations.

Everything here except `child` and what it imports stays free of torch.
"""
