"""How a session is held and questioned, from the trusted side."""
