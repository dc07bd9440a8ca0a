"""What a person meets: verbs, runs, answers, pages; here settings become wiring."""
