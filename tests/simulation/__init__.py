"""The control plane in virtual time: real code over a simulated network, disk, clock and chance."""
