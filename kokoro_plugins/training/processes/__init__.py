"""Several processes that train together: who started them, what they agree on, how they end."""
