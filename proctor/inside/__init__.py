"""All code that runs in the sandbox, beside the student's code. Nothing here may hold a secret."""
