"""The steps of the chain, one file each: values and Protocols in, a small report out."""
