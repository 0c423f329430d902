"""What people hear apart from the conference: hold, waiting, announcements. Worked off by RQ jobs, one lane each."""
