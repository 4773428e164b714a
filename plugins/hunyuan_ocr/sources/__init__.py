"""Where invoices come from: mailboxes, SFTP servers, folders; the archive of raw bytes; unpacking into documents."""
