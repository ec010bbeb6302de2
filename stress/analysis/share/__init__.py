"""How large the failing share is, how sure that is, and how many handshakes an answer takes."""
