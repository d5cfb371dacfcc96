"""Why there is no plan: families of limits, what is possible without some of them, and what repairs it."""
