"""Charts: what of a result is drawn, where the ticks stand, and drawing it in two ways."""
