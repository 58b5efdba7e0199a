"""From recordings and texts as people have them to a folder that training reads."""
