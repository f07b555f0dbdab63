"""The demo: real data, a real Airflow, and the main job from end to end."""
