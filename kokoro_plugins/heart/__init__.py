"""An English voice that speaks right after the install."""
