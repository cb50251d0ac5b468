"""What spans a run: models that fixtures return, baselines, records and reports."""
