"""The shell: completion, the prompt, its commands, and all of it at a real terminal."""
