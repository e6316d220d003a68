"""What a secret is: records, staging labels, lifecycle, listing filters, passwords, schedules. Pure."""
