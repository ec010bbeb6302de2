"""How large the failing share is and how sure that is; never what lies behind it."""
