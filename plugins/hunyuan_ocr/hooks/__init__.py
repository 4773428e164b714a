"""The Airflow face towards connections: hooks that turn a connection into settings, and the forms to fill it in."""
