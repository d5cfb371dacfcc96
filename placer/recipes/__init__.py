"""How shipped data is made."""
