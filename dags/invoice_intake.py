"""The daily intake of invoices as an Airflow DAG; its settings are those of section ``[hunyuan_ocr]``.

To run several with different schedules or sources, call ``build_intake_dag`` from a DAG file of your own.
"""

from hunyuan_ocr.operators.intake_dag import build_intake_dag

dag = build_intake_dag("invoice_intake")
