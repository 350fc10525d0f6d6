"""A batch on the workers of a Dask cluster. What imports Dask does so within functions."""
