"""The working tree's speed beside that of another commit of the repository."""
