"""How large a failure rate is and how certain that is; never why it fails."""
