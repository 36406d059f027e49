"""What falls due and when: the pass that applies it, for cron and for a process that serves."""
