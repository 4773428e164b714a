"""The pipeline store and the staging tables: what was received, read and decided, and what the ERP may take.

``repository.Store`` is the door. Reads no document and judges no value; imports no Airflow.
"""
