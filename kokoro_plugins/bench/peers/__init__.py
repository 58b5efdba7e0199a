"""The contenders: ours, other implementations of equal size, and the bare reading of memory."""
