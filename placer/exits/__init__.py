"""Early exits: at which classifier of a network each job leaves, under random arrivals and a finite buffer."""
