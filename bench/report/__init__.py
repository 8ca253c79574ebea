"""What benchmarks say: figures with their runs, each beside its baseline and the machine's limit; one JSON form for all."""
