"""The key-value store: frames of immutable chunks under names."""
