"""Canvas, Moodle and Gradescope: their names, archives in, marks out."""
