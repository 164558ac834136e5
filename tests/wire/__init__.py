"""The wire under fire: mutated frames, and peers that misbehave."""
