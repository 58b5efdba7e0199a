"""The docs as a site: what is made of the code, and how pages become pages of it."""
