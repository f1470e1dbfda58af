"""Predictions for millions of pictures: in shards, as tables, and by Apache Beam."""
