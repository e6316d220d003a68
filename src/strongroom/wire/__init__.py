"""AWS's protocols: models compiled to decoders and encoders, signatures, faults."""
