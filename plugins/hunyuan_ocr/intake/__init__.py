"""The steps of an intake run as plain functions over the sources, the archive and the store.

The operators call them one a task; tests and the command line call them without Airflow. Every step can be killed at
any point and run again: what it committed stays, what it had not committed is done again.
"""
