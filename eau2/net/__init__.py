"""The wire: frames, messages, connections, server and clients."""
