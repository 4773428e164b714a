"""What answers a prompt about a page image: in-process vLLM, an OpenAI-compatible server, transformers. No Airflow."""
