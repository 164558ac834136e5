"""The store's control plane under simulated faults: its own code, in virtual time."""
