"""One worker process: opens connections when due; it never judges or stores what came of them."""
