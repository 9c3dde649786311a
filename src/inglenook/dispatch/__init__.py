"""Which job goes to which worker, and who hears about it."""
