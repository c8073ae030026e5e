"""The engine that grades notebooks: student code in a sandbox, hidden graders outside it."""
