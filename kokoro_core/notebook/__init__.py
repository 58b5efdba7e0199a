"""How specs, models and mels show themselves where a notebook asks for HTML."""
