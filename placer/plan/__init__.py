"""What is answered: placements, and plans as files."""
