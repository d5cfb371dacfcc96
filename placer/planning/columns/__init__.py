"""Column generation: services that hinder each other, planned at prices for what they share."""
