"""What people hear apart from the conference: hold, waiting, announcements. A lane for each person, one for all."""
