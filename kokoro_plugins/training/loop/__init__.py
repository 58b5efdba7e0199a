"""What happens while a model trains."""
