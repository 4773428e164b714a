"""Apache Airflow provider that turns an inbox of invoices into validated ERP staging rows.

Imports nothing: Airflow may look at this package before its own configuration is ready.
"""

__version__ = "0.1.0"
