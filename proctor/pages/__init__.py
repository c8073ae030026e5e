"""What people read: feedback, Formgrader's pages, the report, explanations."""
