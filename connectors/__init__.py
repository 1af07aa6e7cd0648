"""Systems of record: their facts come in, our decisions go out."""
