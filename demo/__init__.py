"""What `make demo`, `make up` and the tests show the pipeline: sample invoices, and real mail and SFTP servers.

Nothing here is part of the installed package, and nothing in the package imports it.
"""
