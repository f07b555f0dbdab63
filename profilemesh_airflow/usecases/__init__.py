"""What the product does, for operators and the command line alike. No Airflow here."""
