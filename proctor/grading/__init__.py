"""How marks are concluded, from the file that came in to the record that is kept."""
