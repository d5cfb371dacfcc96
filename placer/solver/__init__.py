"""The boundary to HiGHS, and what every search shares: limits and progress."""
