"""A frontend for texts that already are symbols."""
