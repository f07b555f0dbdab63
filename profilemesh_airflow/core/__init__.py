"""Pure values and decisions: no Airflow, no SQLAlchemy, no input or output."""
